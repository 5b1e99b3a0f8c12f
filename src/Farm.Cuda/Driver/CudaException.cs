namespace Farm.Cuda.Driver;

/// <summary>The driver refused something, or the device failed; the message is a sentence that says what was attempted.</summary>
public sealed class CudaException : Exception
{
    /// <summary>Creates the error with its sentence and the driver's code.</summary>
    public CudaException(string message, int code)
        : base(message)
    {
        Code = code;
    }

    /// <summary>The driver's status code (CUresult).</summary>
    public int Code { get; }

    /// <summary>Whether the context is lost: every later call on it fails with the same code, and only a new process helps.</summary>
    public bool IsSticky => (CudaResult)Code is CudaResult.DeviceUnavailable or CudaResult.EccUncorrectable or CudaResult.IllegalAddress or CudaResult.LaunchTimeout
        or (>= CudaResult.HardwareStackError and <= CudaResult.LaunchFailed) or CudaResult.Unknown;
}
