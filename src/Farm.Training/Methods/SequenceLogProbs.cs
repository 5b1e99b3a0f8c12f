using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Training.Data;
using Farm.Training.Model;

namespace Farm.Training.Methods;

/// <summary>Summed log-probabilities of the responses of examples.</summary>
public static class SequenceLogProbs
{
    /// <summary>
    /// Fills <see cref="TrainingExample.Reference"/> by the model as it stands, without its adapters. The values are kept in a file named by a digest of the model and the examples, so that a second run, or one gone on with,
    /// reads them instead.
    /// </summary>
    /// <param name="model">The reference: the model before training.</param>
    /// <param name="workspace">Memory with room for the longest example.</param>
    /// <param name="examples">The examples.</param>
    /// <param name="modelDigest">What tells this model's weights from another's.</param>
    /// <param name="cacheFolder">Folder of the files.</param>
    /// <param name="cancellation">Stops between passes.</param>
    /// <returns>The examples with their references, and whether they came from the cache.</returns>
    /// <exception cref="BadInputException">The cache cannot be written.</exception>
    public static (IReadOnlyList<TrainingExample> Examples, bool Cached) WithReference(
        TrainableLlama model, TrainingWorkspace workspace, IReadOnlyList<TrainingExample> examples, string modelDigest, string cacheFolder, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(workspace);
        ArgumentNullException.ThrowIfNull(examples);
        string path = Path.Combine(cacheFolder, $"reference-{Key(model, examples, modelDigest)}.f32");
        int count = examples.Sum(e => e.Sequences.Count);
        float[] values = new float[count];
        bool cached = File.Exists(path) && new FileInfo(path).Length == (long)count * sizeof(float);
        if (cached)
        {
            File.ReadAllBytes(path).CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
        }
        else
        {
            Compute(model, workspace, examples, values, cancellation);
            try
            {
                Directory.CreateDirectory(cacheFolder);
                AtomicFile.Write(path, (long)count * sizeof(float), stream => stream.Write(MemoryMarshal.AsBytes<float>(values)));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new BadInputException($"{path} cannot be written: {e.Message}", e);
            }
        }

        int at = 0;
        var filled = new List<TrainingExample>(examples.Count);
        foreach (var example in examples)
        {
            filled.Add(example with { Reference = values[at..(at += example.Sequences.Count)] });
        }

        return (filled, cached);
    }

    /// <summary>Packs all sequences; gives the rows that predict their labels, the labels, and the sequence that each belongs to.</summary>
    internal static (int[] Rows, int[] Ids, int[] Owners) Pack(PackedBatch batch, IEnumerable<TrainingExample> examples)
    {
        batch.Clear();
        List<int> rows = [], ids = [], owners = [];
        int owner = 0;
        foreach (var example in examples)
        {
            foreach (int[] sequence in example.Sequences)
            {
                int first = batch.Add(sequence);
                for (int i = example.FirstLabel; i < sequence.Length; i++)
                {
                    rows.Add(first + i - 1);
                    ids.Add(sequence[i]);
                    owners.Add(owner);
                }

                owner++;
            }
        }

        return ([.. rows], [.. ids], [.. owners]);
    }

    internal static float[] Sums(ReadOnlySpan<float> logProbs, int[] owners, int count)
    {
        var sums = new double[count];
        for (int i = 0; i < owners.Length; i++)
        {
            sums[owners[i]] += logProbs[i];
        }

        return [.. sums.Select(s => (float)s)];
    }

    private static void Compute(TrainableLlama model, TrainingWorkspace workspace, IReadOnlyList<TrainingExample> examples, float[] values, CancellationToken cancellation)
    {
        var batch = new PackedBatch();
        int at = 0;
        foreach (int[] part in TokenPasses.Cut([.. examples.Select(e => e.Rows)], workspace.MaxRows))
        {
            cancellation.ThrowIfCancellationRequested();
            var (rows, ids, owners) = Pack(batch, part.Select(i => examples[i]));
            var logProbs = new float[rows.Length];
            model.Forward(batch, workspace, training: false, adapters: false);
            model.LogProbs(workspace, rows, ids, 1, logProbs);
            float[] sums = Sums(logProbs, owners, part.Sum(i => examples[i].Sequences.Count));
            sums.CopyTo(values, at);
            at += sums.Length;
        }
    }

    private static string Key(TrainableLlama model, IReadOnlyList<TrainingExample> examples, string modelDigest)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"1 {modelDigest} {model.Options.DType.Name()} {model.Backend.Name} {model.Config.VocabularySize}\n"));
        foreach (var example in examples)
        {
            hash.AppendData(BitConverter.GetBytes(example.FirstLabel));
            foreach (int[] sequence in example.Sequences)
            {
                hash.AppendData(BitConverter.GetBytes(sequence.Length));
                hash.AppendData(MemoryMarshal.AsBytes<int>(sequence));
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset())[..32];
    }
}
