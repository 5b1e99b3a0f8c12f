using Farm.Core;
using Farm.Models.Llama;

namespace Farm.Inference.Tests;

public class AllocationTests
{
    [Theory]
    [InlineData(1f)]
    [InlineData(1.2f)]
    public void A_decode_step_allocates_nothing_unless_a_sample_begins_or_ends(float repetitionPenalty)
    {
        using var backend = new NullBackend();
        using var model = LlamaModel.Load(backend, new MemoryCheckpoint(TestModels.Config), TestModels.Config, DType.F32);
        var options = new GenerationOptions
        {
            NumReturnSequences = 3,
            MaxNewTokens = 100,
            BatchSequences = 8,
            EosIds = [],
            Sampling = new SamplingParameters { RepetitionPenalty = repetitionPenalty },
        };
        using var generator = new Generator(model, null, options);
        // Allocation between one draw and the next; filled in place, as a list that grows would count itself.
        var allocated = new long[4000];
        int draws = 0;
        long last = 0;
        backend.Drawing = () =>
        {
            allocated[draws++] = GC.GetAllocatedBytesForCurrentThread() - last;
            last = GC.GetAllocatedBytesForCurrentThread();
        };
        generator.Generate(TestModels.Prompts(9, 3, 130), _ => { }, _ => { });
        draws = 0;
        last = GC.GetAllocatedBytesForCurrentThread();
        generator.Generate(TestModels.Prompts(9, 3, 130), _ => { }, _ => { });

        // Nine samples in eight places: all first eight end at step 100, the ninth at step 200.
        Assert.Equal(200, draws);
        for (int i = 0; i < draws; i++)
        {
            Assert.True(i is 0 or 100 || allocated[i] == 0, $"step {i} allocated {allocated[i]} bytes");
        }

        // The measure itself sees what a new prompt and finished samples take.
        Assert.True(allocated[0] > 0);
        Assert.True(allocated[100] > 8 * 100 * 8);
    }
}
