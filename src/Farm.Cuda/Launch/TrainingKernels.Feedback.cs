namespace Farm.Cuda.Launch;

// Kernels of Farm.Core.IReinforcementBackend.
internal static partial class TrainingKernels
{
    private const string Tokens256 = "x: blocks of 256 tokens";

    internal static readonly Kernel Gae = new("train_feedback", "gae", 256, "x: blocks of 8 rows", Registers: 40);
    internal static readonly Kernel Whiten = new("train_feedback", "whiten", 1024, "one block", StaticShared: 512, Registers: 32);
    internal static readonly Kernel TokenKl = new("train_feedback", "token_kl", 256, Tokens256, Registers: 32);
    internal static readonly Kernel ValueLoss = new("train_feedback", "value_loss", 256, Tokens256, Registers: 40);
    internal static readonly Kernel DpoLoss = new("train_feedback", "dpo_loss", 256, Tokens256);
    internal static readonly Kernel PairwiseLoss = new("train_feedback", "pairwise_loss", 256, Tokens256);
    internal static readonly Kernel PolicyFinish = new("train_feedback", "policy_finish", 256, Tokens256);
    internal static readonly Kernel QuarkLoss = new("train_quark", "quark_loss", 256, "x: rows", StaticShared: 416);
}
