using Farm.Core;

namespace Farm.Cpu.Tests;

/// <summary>Threads that sample rows side by side keep to their own scratch memory.</summary>
public sealed class SamplingScratchTests
{
    // 33 tokens take 48 floats of scratch, the two words of a bit set 64: a bit past the vocabulary, taken for a token's, lies where the next thread keeps its first 16 tokens, here the likely ones.
    // Enough rows that threads meet, or are interrupted, in the middle of one.
    [Fact]
    public void Bits_beyond_the_vocabulary_do_not_reach_another_threads_row()
    {
        const int Vocabulary = 33, Rows = 20_000, Words = 2;
        using var backend = new CpuBackend(4);
        using var arena = new Arena(backend, Arena.SizeOf(DType.F32, Rows, Vocabulary) + Arena.SizeOf(DType.F32, 1, Rows) + (6L * Arena.SizeOf(DType.I32, 1, Rows)) + 256);
        Tensor logits = arena.Take(DType.F32, Rows, Vocabulary), logprobs = arena.Take(DType.F32, 1, Rows);
        Tensor keys = arena.Take(DType.I32, Rows, 3), tokens = arena.Take(DType.I32, 1, Rows), seen = arena.Take(DType.I32, Rows, Words);
        backend.Upload<float>([.. Enumerable.Range(0, Rows * Vocabulary).Select(i => i % Vocabulary < 16 ? 5f : -9f)], logits);
        backend.Upload<int>([.. Enumerable.Range(0, Rows * 3)], keys);
        int[] Draw(int last)
        {
            backend.Upload<int>([.. Enumerable.Range(0, Rows * Words).Select(i => i % Words == 1 ? last : 0)], seen);
            backend.Sample(logits, new SamplingParameters { RepetitionPenalty = 1e6f, TopP = 0.999f }, 21, keys, tokens, logprobs, seen);
            var drawn = new int[Rows];
            backend.Download<int>(tokens, drawn);
            return drawn;
        }

        int[] want = Draw(0);
        for (int call = 0; call < 5; call++)
        {
            Assert.Equal(want, Draw(-2));
        }
    }
}
