using Farm.Core;

namespace Farm.Inference;

/// <summary>Draws a token for each running sample from its logits into <see cref="GenerationBuffers.HostTokens"/> and <see cref="GenerationBuffers.HostLogProbs"/>.</summary>
internal sealed class TokenDraw(Generator generator, GenerationBuffers buffers)
{
    /// <summary>Draws. A draw is keyed by prompt, sample and position, so that it is the same in whichever row the sample stands.</summary>
    /// <param name="running">The samples.</param>
    /// <param name="logits">Their logits, (N, V).</param>
    public void Run(List<RunningSample> running, Tensor logits)
    {
        int count = running.Count;
        for (int i = 0; i < count; i++)
        {
            var sample = running[i];
            buffers.HostKeys[i * 3] = sample.Prompt.Prompt.Index;
            buffers.HostKeys[(i * 3) + 1] = sample.SampleIndex;
            buffers.HostKeys[(i * 3) + 2] = sample.Count;
        }

        var backend = generator.Model.Backend;
        var keys = buffers.Keys.SliceRows(0, count);
        var tokens = buffers.Tokens.SliceColumns(0, count);
        var logProbs = buffers.LogProbs.SliceColumns(0, count);
        backend.Upload<int>(buffers.HostKeys.AsSpan(0, count * 3), keys);
        backend.Sample(logits, generator.Options.Sampling, generator.Options.Seed, keys, tokens, logProbs, SeenRows(running));
        backend.Download(tokens, buffers.HostTokens.AsSpan(0, count));
        backend.Download(logProbs, buffers.HostLogProbs.AsSpan(0, count));
    }

    /// <summary>Forgets whose tokens the rows hold, after the last step or an interruption.</summary>
    public void Forget() => Array.Clear(buffers.SeenOwner);

    // The bit sets of tokens that samples have; rows that changed hands are filled anew, the others the device keeps up to date.
    private Tensor SeenRows(List<RunningSample> running)
    {
        if (buffers.SeenWords == 0)
        {
            return default;
        }

        for (int i = 0; i < running.Count; i++)
        {
            if (!ReferenceEquals(buffers.SeenOwner[i], running[i]) || running[i].Count == 0)
            {
                generator.Model.Backend.Upload<int>(running[i].Seen, buffers.Seen.SliceRows(i, 1));
                buffers.SeenOwner[i] = running[i];
            }
        }

        return buffers.Seen.SliceRows(0, running.Count);
    }
}
