using Farm.Cli.Kernels;

namespace Farm.Cuda.Tests.Kernels;

/// <summary>The plan of a best-of-16 run's memory.</summary>
public sealed class BestOfNMemoryTests
{
    [Fact]
    public void Thirty_two_prompts_of_LLaMA_7B_fit_80_GB_because_a_prompt_is_stored_once()
    {
        var plan = new BestOfNMemory(ModelShape.Parse("llama-7b"), Prompts: 32, Samples: 16, PromptTokens: 512, NewTokens: 128);
        Assert.Equal(13_476_298_752, plan.Weights);
        Assert.InRange(plan.Total, 60e9, 80e9);
        Assert.True(plan.Unshared > 160e9);
        Assert.Contains("stored once", plan.ToString(), StringComparison.Ordinal);
    }
}
