using Farm.Core;

namespace Farm.Reference;

public sealed partial class ReferenceBackend
{
    /// <inheritdoc/>
    public void Sample(Tensor logits, SamplingParameters parameters, ulong seed, Tensor keys, Tensor tokens, Tensor logprobs,
        Tensor seen = default)
    {
        const string Operation = nameof(Sample);
        ArgumentNullException.ThrowIfNull(parameters);
        Check.Type(Operation, nameof(logits), logits, DType.F32);
        Check.That(logits.Columns > 0, Operation, "the vocabulary is empty");
        Check.Shape(Operation, nameof(keys), keys, DType.I32, logits.Rows, 3);
        Check.Shape(Operation, nameof(tokens), tokens, DType.I32, 1, logits.Rows);
        Check.Shape(Operation, nameof(logprobs), logprobs, DType.F32, 1, logits.Rows);
        Check.That(!seen.IsNone || parameters.RepetitionPenalty == 1, Operation, "a repetition penalty needs the tokens seen");
        if (!seen.IsNone)
        {
            Check.Shape(Operation, nameof(seen), seen, DType.I32, logits.Rows, (logits.Columns + 31) / 32);
        }

        var drawn = new int[logits.Rows];
        var logs = new double[logits.Rows];
        for (int b = 0; b < logits.Rows; b++)
        {
            float[] row = TensorIO.ReadRowSingle(logits, b);
            int[] key = TensorIO.ReadInts(keys, b), bits = seen.IsNone ? [] : TensorIO.ReadInts(seen, b);
            double u = Philox.Uniform(seed, (uint)key[0], (uint)key[1], (uint)key[2]);
            int token = drawn[b] = ReferenceSampler.Draw(ReferenceSampler.Probabilities(row, parameters, bits), u);
            logs[b] = ReferenceSampler.LogSoftmax(row)[token];
            if (!seen.IsNone)
            {
                bits[token / 32] |= 1 << (token % 32);
                TensorIO.WriteInts(seen, b, bits);
            }
        }

        TensorIO.WriteInts(tokens, 0, drawn);
        TensorIO.WriteRow(logprobs, 0, logs);
    }
}
