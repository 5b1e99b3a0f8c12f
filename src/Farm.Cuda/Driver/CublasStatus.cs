namespace Farm.Cuda.Driver;

/// <summary>Status codes of cuBLAS (NVIDIA, "cuBLAS", cublasStatus_t).</summary>
internal enum CublasStatus
{
    Success = 0,
    NotInitialized = 1,
    AllocFailed = 3,
    InvalidValue = 7,
    ArchMismatch = 8,
    MappingError = 11,
    ExecutionFailed = 13,
    InternalError = 14,
    NotSupported = 15,
    LicenseError = 16,
}

/// <summary>Status codes as sentences.</summary>
internal static class CublasErrors
{
    /// <summary>What a code means, with its number.</summary>
    internal static string Describe(CublasStatus status) => status switch
    {
        CublasStatus.NotInitialized => "it could not be initialised, as where the driver is older than the library",
        CublasStatus.AllocFailed => "no memory was left for it",
        CublasStatus.InvalidValue => "an argument is invalid",
        CublasStatus.ArchMismatch => "it does not support this GPU",
        CublasStatus.MappingError => "the GPU's memory could not be reached",
        CublasStatus.ExecutionFailed => "its kernel failed on the GPU",
        CublasStatus.InternalError => "an internal operation failed",
        CublasStatus.NotSupported => "the operation is not supported",
        CublasStatus.LicenseError => "its license check failed",
        _ => "unknown error",
    } + FormattableString.Invariant($" (cuBLAS status {(int)status})");

    /// <summary>Throws unless <paramref name="status"/> is success.</summary>
    /// <param name="status">What the library returned.</param>
    /// <param name="doing">What was attempted, as "...ing ...".</param>
    /// <exception cref="CudaException">It failed; the code is the driver's that is nearest.</exception>
    internal static void Check(CublasStatus status, string doing)
    {
        if (status != CublasStatus.Success)
        {
            throw new CudaException($"cuBLASLt failed at {doing}: {Describe(status)}; --blas own does without the library.", (int)(status switch
            {
                CublasStatus.AllocFailed => CudaResult.OutOfMemory,
                CublasStatus.ExecutionFailed => CudaResult.LaunchFailed,
                CublasStatus.NotSupported or CublasStatus.ArchMismatch => CudaResult.NotSupported,
                _ => CudaResult.InvalidValue,
            }));
        }
    }
}
