using Farm.Core;
using Farm.Cpu;
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

    [Fact]
    public void A_decode_step_on_the_CPU_allocates_nothing()
    {
        using var backend = new CpuBackend(2);
        using var model = LlamaModel.Load(backend, new MemoryCheckpoint(TestModels.Config), TestModels.Config, DType.BF16);
        using var generator = new Generator(model, null, new GenerationOptions { NumReturnSequences = 4, MaxNewTokens = 60, EosIds = [] });
        var allocated = new long[60];
        int steps = 0;
        long last = 0;
        void Measure(GenerationProgress progress)
        {
            allocated[steps++] = GC.GetAllocatedBytesForCurrentThread() - last;
            last = GC.GetAllocatedBytesForCurrentThread();
        }

        generator.Generate(TestModels.Prompts(9, 130), _ => { }, Measure);
        steps = 0;
        generator.Generate(TestModels.Prompts(9, 130), _ => { }, Measure);
        Assert.Equal(60, steps);
        Assert.All(allocated[1..59], bytes => Assert.Equal(0, bytes));
        Assert.True(allocated[59] > 0);
    }
}
