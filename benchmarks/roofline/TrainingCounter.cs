using Farm.Core;
using Farm.Models.Configuration;
using Farm.Training.Model;
using Farm.Training.Optimisation;

namespace Farm.Roofline;

/// <summary>Counts supervised fine-tuning of all weights: forward, loss and backward of a micro-batch, and the update of a step, by the trainer's own classes.</summary>
internal static class TrainingCounter
{
    /// <summary>The two passes.</summary>
    /// <param name="backend">Counts.</param>
    /// <param name="name">The model's name.</param>
    /// <param name="config">Its shape.</param>
    /// <param name="sequences">Sequences of a micro-batch.</param>
    /// <param name="tokens">Tokens of each; all but the first are learned.</param>
    public static IEnumerable<PassCount> Count(CountingBackend backend, string name, ModelConfig config, int sequences, int tokens)
    {
        long before = backend.Allocated;
        backend.SequenceTokens = tokens;
        backend.Loading = true;
        using var checkpoint = new BlankCheckpoint(config);
        using var model = TrainableLlama.Load(backend, checkpoint, config, new TrainableLlamaOptions { DType = DType.BF16, MaxPositions = tokens });
        int rows = sequences * tokens;
        using var workspace = model.CreateWorkspace(rows);
        var optimizer = new AdamWOptimizer(model.Trained, new AdamWOptions());
        backend.Loading = false;
        long memory = backend.Allocated - before;
        PassCount Pass(string what) => new(name, what, "bf16", sequences, 0, tokens, 0, rows, memory, backend.Launches);

        var batch = new PackedBatch();
        for (int s = 0; s < sequences; s++)
        {
            batch.Add(DecodeCounter.Ids(tokens, config.VocabularySize));
        }

        int[] learned = [.. Enumerable.Range(0, rows).Where(r => (r + 1) % tokens != 0)];
        backend.Begin();
        model.Forward(batch, workspace);
        model.CrossEntropy(workspace, learned, DecodeCounter.Ids(learned.Length, config.VocabularySize), new float[learned.Length], new float[learned.Length]);
        model.Backward(workspace);
        backend.Synchronize();
        yield return Pass("gradients");

        backend.Begin();
        model.Trained.ZeroGradients();
        _ = optimizer.GradientNorm();
        optimizer.Step(1, 1e-5, 1);
        backend.Synchronize();
        yield return Pass("update");
    }
}
