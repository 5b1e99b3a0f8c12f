using Farm.Core;
using Farm.Cuda.Launch;

namespace Farm.Cuda;

public sealed partial class CudaBackend
{
    // Columns of the vocabulary whose logits exist at a time, for so many rows: 128 MiB. Chunks are the same for any number of rows, so that a row's
    // result does not depend on it.
    private const int VocabularyChunk = 8192, VocabularyRows = 4096;

    /// <inheritdoc/>
    public void LinearCrossEntropy(Tensor hidden, Tensor weight, Tensor labels, Tensor scales, Tensor losses, Tensor hiddenGradient = default, Tensor weightGradient = default)
    {
        const string Op = nameof(LinearCrossEntropy);
        int rows = hidden.Rows;
        CheckVocabulary(Op, hidden, weight, labels, hiddenGradient, weightGradient);
        RequireF32(scales, 1, rows, Op, nameof(scales));
        RequireF32(losses, 1, rows, Op, nameof(losses));
        _scratch.Reset();
        for (int row0 = 0; row0 < rows; row0 += VocabularyRows)
        {
            var mark = _scratch.Mark();
            var walk = new VocabularyWalk(this, hidden, weight, labels.Address, row0, 1f, hiddenGradient, weightGradient);
            walk.Scan();
            Launch(TrainingKernels.CrossEntropyFinish, new Grid(Grid.Over(walk.Rows, 256)), walk.State, walk.Labels, At(scales, row0), At(losses, row0), walk.Factors, walk.Rows);
            walk.Gradients();
            _scratch.Release(mark);
        }
    }

    // The address of element i of a row of 32-bit values; 0 for none.
    private static nint At(Tensor row, int i) => row.IsNone ? 0 : row.Address + ((nint)i * sizeof(float));

    private static void CheckVocabulary(string op, Tensor hidden, Tensor weight, Tensor ids, Tensor hiddenGradient, Tensor weightGradient)
    {
        int rows = hidden.Rows;
        RequireF32(hidden, rows, weight.Columns, op, nameof(hidden));
        Require(weight.DType is DType.F32 or DType.BF16 && weight.Rows > 0, op, "the weight is F32 or BF16 and not empty", nameof(weight));
        RequireI32(ids, rows, op, nameof(ids));
        if (!hiddenGradient.IsNone)
        {
            RequireF32(hiddenGradient, rows, weight.Columns, op, nameof(hiddenGradient));
        }

        if (!weightGradient.IsNone)
        {
            RequireF32(weightGradient, weight.Rows, weight.Columns, op, nameof(weightGradient));
        }
    }

    /// <summary>
    /// The output layer over a block of rows, a chunk of the vocabulary at a time. <see cref="Scan"/> finds every row's softmax; the caller turns <see cref="State"/>
    /// into losses and <see cref="Factors"/>; <see cref="Gradients"/> makes the logits again, the last chunk's excepted, and carries their gradients back.
    /// </summary>
    private readonly struct VocabularyWalk
    {
        private readonly CudaBackend _backend;
        private readonly Tensor _hidden, _weight, _hiddenGradient, _weightGradient;
        private readonly nint _logits;
        private readonly float _inverseTemperature;

        public VocabularyWalk(CudaBackend backend, Tensor hidden, Tensor weight, nint labels, int row0, float inverseTemperature, Tensor hiddenGradient, Tensor weightGradient)
        {
            _backend = backend;
            Rows = Math.Min(hidden.Rows - row0, VocabularyRows);
            _hidden = hidden.SliceRows(row0, Rows);
            _weight = weight;
            _hiddenGradient = hiddenGradient.IsNone ? default : hiddenGradient.SliceRows(row0, Rows);
            _weightGradient = weightGradient;
            _inverseTemperature = inverseTemperature;
            Labels = labels + ((nint)row0 * sizeof(int));
            // Bigger first: what follows may then lie in the same block of the arena.
            _logits = backend.Scratch((long)Rows * LogitStride * sizeof(float));
            State = backend.Scratch((long)Rows * 4 * sizeof(double));
            Factors = backend.Scratch((long)Rows * 4 * sizeof(float));
        }

        public int Rows { get; }

        public nint Labels { get; }

        /// <summary>Float64 [rows, 4]: maximum, mass, moment and target of each row's scaled logits.</summary>
        public nint State { get; }

        /// <summary>Float32 [rows, 4]: maximum, coefficient over mass, coefficient, 0.</summary>
        public nint Factors { get; }

        private int Chunks => Grid.Over(_weight.Rows, VocabularyChunk);

        private int LogitStride => (Math.Min(_weight.Rows, VocabularyChunk) + 3) / 4 * 4;

        public void Scan()
        {
            for (int chunk = 0; chunk < Chunks; chunk++)
            {
                var logits = Logits(chunk);
                _backend.Launch(TrainingKernels.VocabularyScan, new Grid(Rows), logits, Labels, State, logits.Stride, logits.Columns, chunk * VocabularyChunk, _inverseTemperature);
            }
        }

        public void Gradients()
        {
            if (_hiddenGradient.IsNone && _weightGradient.IsNone)
            {
                return;
            }

            for (int chunk = Chunks - 1; chunk >= 0; chunk--)
            {
                bool last = chunk == Chunks - 1;
                var z = last ? View(chunk) : Logits(chunk);
                int first = chunk * VocabularyChunk;
                _backend.Launch(TrainingKernels.VocabularyGradient, new Grid(Rows, Grid.Over(z.Columns, 1024)), z, Labels, Factors, z.Stride, z.Columns, first, _inverseTemperature);
                if (!_hiddenGradient.IsNone)
                {
                    _backend.Product(z, false, _weight.SliceRows(first, z.Columns), false, _hiddenGradient, accumulate: !last);
                }

                if (!_weightGradient.IsNone)
                {
                    _backend.Product(z, true, _hidden, false, _weightGradient.SliceRows(first, z.Columns), accumulate: true);
                }
            }
        }

        private Tensor View(int chunk) =>
            new(_logits, DType.F32, Rows, Math.Min(_weight.Rows - (chunk * VocabularyChunk), VocabularyChunk), LogitStride);

        private Tensor Logits(int chunk)
        {
            var logits = View(chunk);
            _backend.Product(_hidden, false, _weight.SliceRows(chunk * VocabularyChunk, logits.Columns), true, logits, accumulate: false);
            return logits;
        }
    }
}
