namespace Farm.Cuda.Launch;

/// <summary>Kernels of <see cref="Farm.Core.IBackend"/>.</summary>
internal static partial class InferenceKernels
{
}
