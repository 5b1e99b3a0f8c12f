using Farm.Core;
using Farm.Models.Llama;

namespace Farm.Inference;

/// <summary>Everything a generation needs on the device and its mirrors on the host, allocated before the first token.</summary>
internal sealed class GenerationBuffers : IDisposable
{
    private readonly Arena _arena;

    public GenerationBuffers(LlamaModel model, GenerationOptions options, GenerationPlan plan, int vocabulary)
    {
        Plan = plan;
        int width = plan.BatchSequences;
        SeenWords = options.Sampling.RepetitionPenalty == 1f ? 0 : (vocabulary + 31) / 32;
        Workspace = model.CreateWorkspace(plan.Rows, width);
        Cache = new KvCache(model.Backend, model.KvShape(options.KvType), plan.Pages);
        Batch = new ForwardBatch(plan.Rows, Math.Max(width, Math.Min(plan.Rows, 256)), 2 * plan.Pages);
        Packer = new SequencePacker(model, Workspace, Batch);
        _arena = new Arena(model.Backend, Arena.SizeOf(DType.F32, width + 1, model.Config.HiddenSize)
            + Arena.SizeOf(DType.I32, width, 3) + Arena.SizeOf(DType.I32, 1, width) + Arena.SizeOf(DType.F32, 1, width)
            + Arena.SizeOf(DType.I32, width, SeenWords));
        PromptHidden = _arena.Take(DType.F32, width + 1, model.Config.HiddenSize);
        Keys = _arena.Take(DType.I32, width, 3);
        Tokens = _arena.Take(DType.I32, 1, width);
        LogProbs = _arena.Take(DType.F32, 1, width);
        Seen = _arena.Take(DType.I32, width, SeenWords);
        HostKeys = new int[width * 3];
        HostTokens = new int[width];
        HostLogProbs = new float[width];
        SeenOwner = new RunningSample?[width];
        for (int i = 0; i < width; i++)
        {
            Idle.Push(new RunningSample(options.MaxNewTokens, SeenWords));
        }
    }

    public GenerationPlan Plan { get; }

    public LlamaWorkspace Workspace { get; }

    public KvCache Cache { get; }

    public ForwardBatch Batch { get; }

    public SequencePacker Packer { get; }

    /// <summary>Hidden state after the last token of each active prompt, F32 [width + 1, H].</summary>
    public Tensor PromptHidden { get; }

    public Tensor Keys { get; }

    public Tensor Tokens { get; }

    public Tensor LogProbs { get; }

    /// <summary>Bit sets of the tokens so far, I32 [width, SeenWords]; none without a repetition penalty.</summary>
    public Tensor Seen { get; }

    public int SeenWords { get; }

    public int[] HostKeys { get; }

    public int[] HostTokens { get; }

    public float[] HostLogProbs { get; }

    /// <summary>Whose bit set each row of <see cref="Seen"/> holds.</summary>
    public RunningSample?[] SeenOwner { get; }

    /// <summary>Sample objects not in use.</summary>
    public Stack<RunningSample> Idle { get; } = new();

    public bool Holds(GenerationPlan plan) =>
        plan.BatchSequences <= Plan.BatchSequences && plan.Rows <= Plan.Rows && plan.Pages <= Plan.Pages;

    public void Dispose()
    {
        _arena.Dispose();
        Cache.Dispose();
        Workspace.Dispose();
    }
}
