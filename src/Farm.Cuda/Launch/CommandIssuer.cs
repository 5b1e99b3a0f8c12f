using Farm.Cuda.Driver;

namespace Farm.Cuda.Launch;

/// <summary>Hands commands to the driver, one by one.</summary>
internal sealed unsafe class CommandIssuer(CudaDevice device, CudaStream stream)
{
    /// <summary>With FARM_CUDA_SYNC=1 each launch is waited for, so that a fault names it.</summary>
    internal static readonly bool Synchronous = Environment.GetEnvironmentVariable("FARM_CUDA_SYNC") == "1";

    /// <summary>The newest launches.</summary>
    internal LaunchHistory History { get; } = new();

    /// <summary>Hands over the commands of a list.</summary>
    internal void Issue(ReadOnlySpan<ulong> list)
    {
        fixed (ulong* first = list)
        {
            for (int at = 0; at < list.Length;)
            {
                ulong* words = first + at;
                switch (CommandWords.Code(words[0]))
                {
                    case CommandWords.Launch:
                        IssueLaunch(words, CommandWords.Arguments(words[0]));
                        break;
                    case CommandWords.Upload:
                        Check(CudaApi.cuMemcpyHtoDAsync((nint)words[1], (nint)words[2], (nuint)words[3], stream.Handle), "copying to the GPU", words[3]);
                        break;
                    case CommandWords.Copy:
                        Check(CudaApi.cuMemcpyDtoDAsync((nint)words[1], (nint)words[2], (nuint)words[3], stream.Handle), "copying on the GPU", words[3]);
                        break;
                    default:
                        Check(CudaApi.cuMemsetD8Async((nint)words[1], (byte)words[2], (nuint)words[3], stream.Handle), "filling memory", words[3]);
                        break;
                }

                at += CommandWords.Length(words[0]);
            }
        }
    }

    private void IssueLaunch(ulong* words, int count)
    {
        var kernel = device.Kernel(KernelTable.All[CommandWords.Kernel(words[0])]);
        var grid = CommandWords.GridOf(new ReadOnlySpan<ulong>(words, CommandWords.LaunchLength(count)));
        // The driver copies each parameter's bytes from where its pointer shows: the low bytes of a word.
        void** pointers = stackalloc void*[Math.Max(count, 1)];
        for (int i = 0; i < count; i++)
        {
            pointers[i] = words + CommandWords.LaunchHead + i;
        }

        Require(CudaApi.cuLaunchKernel(
            kernel.Function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)kernel.Row.Threads, 1, 1, (uint)grid.DynamicShared, stream.Handle, pointers, null));
        History.Add(kernel.Row.Index, grid);
        if (Synchronous)
        {
            Require(CudaApi.cuStreamSynchronize(stream.Handle));
        }

        void Require(CudaResult status)
        {
            if (status != CudaResult.Success)
            {
                throw CudaErrors.Exception(status, "launching " + kernel.Describe(grid));
            }
        }
    }

    /// <summary>Throws where a call failed. The words of the message are put together only then: the token loop passes here.</summary>
    internal static void Check(CudaResult status, string doing, ulong amount)
    {
        if (status != CudaResult.Success)
        {
            throw CudaErrors.Exception(status, $"{doing} ({amount})");
        }
    }
}
