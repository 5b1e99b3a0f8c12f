namespace Farm.Cuda.Launch;

/// <summary>Kernels of <see cref="Farm.Core.ITrainingBackend"/>.</summary>
internal static partial class TrainingKernels
{
}
