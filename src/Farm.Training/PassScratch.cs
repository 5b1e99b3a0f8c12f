using Farm.Core;
using Farm.Models.Configuration;
using Farm.Training.Model;

namespace Farm.Training;

/// <summary>
/// What a device's operations take beside parameters and workspaces, asked of the device itself on the shapes of a pass; 0 where its operations take nothing. All operations
/// share it, so a run takes the most of its passes'.
/// </summary>
internal static class PassScratch
{
    /// <summary>Of forward, loss, backward and clipping.</summary>
    /// <param name="backend">The device; may be null.</param>
    /// <param name="config">Shape of the model.</param>
    /// <param name="rows">Rows of the pass.</param>
    /// <param name="type">What products read weights as.</param>
    /// <param name="lora">Its adapters.</param>
    /// <param name="language">Whether there is a language head; else a reward head.</param>
    /// <param name="trained">Parameters that are trained.</param>
    /// <param name="logitRows">Rows whose logits lie in memory of their own; 0 where the loss is fused with the head.</param>
    /// <param name="backward">False for a forward pass alone.</param>
    public static long OfTraining(
        IBackend? backend, ModelConfig config, int rows, DType type, LoraOptions? lora, bool language, long trained, int logitRows = 0, bool backward = true) => Measure(backend, (device, training) =>
    {
        bool full = backward && lora is null;
        int hidden = config.HiddenSize, query = config.QueryWidth, keys = config.KeyValueWidth, mlp = config.IntermediateSize;
        Tensor F(int r, int c) => device.Shape(DType.F32, r, c);
        Tensor W(int r, int c) => device.Shape(type == DType.BF16 ? DType.BF16 : DType.F32, r, c);
        Tensor starts = device.Shape(DType.I32, 1, 2), qkv = F(rows, query + (2 * keys)), residual = F(rows, hidden);
        Linear(hidden, query, keys, keys);
        Linear(query, hidden);
        Linear(hidden, mlp, mlp);
        Linear(mlp, hidden);
        training.AttentionTrain(qkv, config.AttentionHeads, config.KeyValueHeads, starts, 1, F(rows, query), F(rows, config.AttentionHeads));
        if (!language)
        {
            Product(rows, hidden, 1, trains: backward);
        }
        else if (logitRows > 0)
        {
            Product(logitRows, hidden, config.VocabularySize, full);
        }
        else
        {
            training.LinearCrossEntropy(
                residual, W(config.VocabularySize, hidden), device.Shape(DType.I32, 1, rows), F(1, rows), F(1, rows), backward ? residual : default, full ? F(config.VocabularySize, hidden) : default);
        }

        if (backward)
        {
            training.AttentionBackward(qkv, config.AttentionHeads, config.KeyValueHeads, starts, 1, F(rows, query), F(rows, config.AttentionHeads), F(rows, query), qkv);
            training.RmsNormBackward(residual, F(1, hidden), 1e-5f, residual, residual, full ? F(1, hidden) : default);
            training.SumOfSquares(F(checked((int)((trained + ParameterStore.FlatColumns - 1) / ParameterStore.FlatColumns)), ParameterStore.FlatColumns));
        }

        if (full && config.AttentionBias != AttentionBias.None)
        {
            training.SumRows(qkv, F(1, qkv.Columns));
        }

        void Linear(int inputs, params ReadOnlySpan<int> parts)
        {
            int outputs = 0;
            foreach (int part in parts)
            {
                outputs += part;
            }

            Product(rows, inputs, outputs, full);
            if (lora is null)
            {
                return;
            }

            Tensor input = F(rows, inputs), narrow = F(rows, lora.Rank), a = F(lora.Rank, inputs);
            foreach (int part in parts)
            {
                Tensor output = F(rows, outputs).SliceColumns(0, part), b = F(part, lora.Rank);
                training.MatMul(input, false, a, true, narrow);
                training.MatMul(narrow, false, b, true, output, true);
                if (!backward)
                {
                    continue;
                }

                training.MatMul(output, true, narrow, false, b, true);
                training.MatMul(output, false, b, false, narrow);
                training.MatMul(narrow, true, input, false, a, true);
                training.MatMul(narrow, false, a, false, input, true);
            }
        }

        void Product(int count, int inputs, int outputs, bool trains)
        {
            Tensor input = F(count, inputs), output = F(count, outputs), weight = W(outputs, inputs);
            training.MatMul(input, false, weight, true, output);
            if (backward)
            {
                training.MatMul(output, false, weight, false, input);
            }

            if (trains)
            {
                training.MatMul(output, true, input, false, F(outputs, inputs), true);
            }
        }
    });

    /// <summary>Of a pass of the inference engine.</summary>
    /// <param name="backend">The device; may be null.</param>
    /// <param name="config">Shape of the model.</param>
    /// <param name="rows">Rows of its largest pass.</param>
    /// <param name="logitRows">Rows of its largest call for logits; 0 without a language head.</param>
    /// <param name="type">How its weights are packed.</param>
    public static long OfInference(IBackend? backend, ModelConfig config, int rows, int logitRows, DType type) => Measure(backend, (device, engine) =>
    {
        int hidden = config.HiddenSize, query = config.QueryWidth;
        Run(rows, hidden, query + (2 * config.KeyValueWidth), normed: true);
        Run(rows, query, hidden, normed: false);
        Run(rows, hidden, config.IntermediateSize, normed: true, LinearLayout.GateUp);
        Run(rows, config.IntermediateSize, hidden, normed: false);
        if (logitRows > 0)
        {
            Run(logitRows, hidden, config.VocabularySize, normed: true);
        }

        void Run(int count, int inputs, int outputs, bool normed, LinearLayout layout = LinearLayout.Concatenated)
        {
            using var weight = device.WeightOfShape(inputs, outputs, type, layout);
            engine.Linear(device.Shape(DType.F32, count, inputs), weight, device.Shape(DType.F32, count, outputs), accumulate: !normed, normWeight: normed ? device.Shape(DType.F32, 1, inputs) : default, normEpsilon: 1e-5f);
        }
    });

    private static long Measure(IBackend? backend, Action<IScratchMemory, ITrainingBackend> operations) =>
        backend is IScratchMemory device && backend is ITrainingBackend training ? device.ScratchFor(() => operations(device, training)) : 0;
}
