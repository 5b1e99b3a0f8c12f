using System.Text.Json;
using Farm.Cli.Tests.Support;

namespace Farm.Cli.Tests.EndToEnd;

/// <summary><c>--device cuda</c> and <c>cuda-sim</c> in processes of their own: a process loads one driver, and a driver reads its settings once.</summary>
public sealed class CudaDeviceTests(TinyModels models) : IClassFixture<TinyModels>, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static string Simulator => Path.Combine(AppContext.BaseDirectory, "ptxsim", "libcuda.so.1");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Should_say_what_was_looked_for_where_there_is_no_driver() =>
        Refused("FARM_CUDA_DRIVER names /nowhere/libcuda.so.1, which is not there", "FARM_CUDA_DRIVER=/nowhere/libcuda.so.1", "doctor", "--device", "cuda");

    [Fact]
    public void Should_refuse_a_file_that_is_no_library() =>
        Refused("which cannot be loaded", $"FARM_CUDA_DRIVER='{_folder.Write("libcuda.so.1", "text")}'", "doctor", "--device", "cuda");

    [Fact]
    public void Should_refuse_a_library_that_is_no_driver() =>
        Refused("is not a CUDA driver", $"FARM_CUDA_DRIVER='{Path.Combine(AppContext.BaseDirectory, "libfarm_native.so")}'", "doctor", "--device", "cuda");

    [Theory]
    [InlineData("FARM_PTXSIM_DRIVER_VERSION=10020", "is version 10.2; Farm's kernels need 11.0 (NVIDIA driver 450) or later")]
    [InlineData("FARM_PTXSIM_COMPUTE_CAPABILITY=75", "has compute capability 7.5; Farm's kernels need 8.0 (Ampere) or later")]
    [InlineData("FARM_PTXSIM_DEVICES=0", "finds no GPU on this machine")]
    [InlineData("FARM_PTXSIM_INIT_ERROR=803", "of different versions")]
    public void Should_refuse_a_device_that_it_cannot_use(string setting, string expected) =>
        Refused(expected, $"FARM_CUDA_DRIVER='{Simulator}' {setting}", "doctor", "--device", "cuda");

    [Fact]
    public void Should_refuse_a_gpu_that_is_not_there() =>
        Refused("There is no GPU 3; the driver shows 1", $"FARM_CUDA_DRIVER='{Simulator}'", "bench", "kernels", "--device", "cuda:3", "--op", "scale");

    [Fact]
    public void Should_refuse_weights_that_do_not_fit_before_reading_them() => Refused(
        "of 1 MiB are free: its weights alone do not fit. Use smaller ones (--dtype int8)", "FARM_PTXSIM_DEVICE_MEMORY=65536", "decode", "--model", models.Decoder, "--device", "cuda-sim", "--prompt-ids", "256,65,66");

    [Fact]
    public void Should_name_the_launch_of_a_kernel_that_faults()
    {
        var result = Run("FARM_PTXSIM_FAIL_LAUNCH=1 FARM_CUDA_SYNC=1", "bench", "kernels", "--device", "cuda-sim", "--op", "scale");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("The GPU failed at launching scale", result.Error, StringComparison.Ordinal);
        Assert.Contains("on a grid of (", result.Error, StringComparison.Ordinal);
        Assert.Contains("arguments of (", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_catch_every_planted_mistake_by_its_name()
    {
        var result = Run(string.Empty, "doctor", "--device", "cuda-sim", "--planted", "--json");

        Assert.Equal(0, result.ExitCode);
        Assert.DoesNotContain("\"caught\":false", result.Output, StringComparison.Ordinal);
        foreach (string name in new[] { "read-after-write-race", "write-after-read-race", "async-copy-in-flight", "fragment", "misaligned-access", "out-of-bounds" })
        {
            Assert.Contains($"\"name\":\"{name}\"", result.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Should_plant_mistakes_on_the_simulator_alone() =>
        Refused("it needs --device cuda-sim", string.Empty, "doctor", "--planted");

    [Fact]
    public void Should_say_that_the_device_is_lost()
    {
        var result = Run("FARM_PTXSIM_LOSE_DEVICE=1", "bench", "kernels", "--device", "cuda-sim", "--op", "scale");

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("The device is lost", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_decode_on_the_simulator_what_the_cpu_decodes()
    {
        string[] decode = ["decode", "--model", models.Decoder, "--dtype", "f32", "--temperature", "0", "--max-new-tokens", "8", "--prompt-ids", "256,65,66,67", "--json"];
        var cpu = FarmProcess.Run(decode);
        var gpu = FarmProcess.Run([.. decode, "--device", "cuda-sim"]);

        Assert.Equal((0, 0), (cpu.ExitCode, gpu.ExitCode));
        Assert.Equal(Ids(cpu.Output), Ids(gpu.Output));
        Assert.Contains("not yet run on a GPU", gpu.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("tokens/s", gpu.Error.TrimEnd().Split('\n')[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Should_count_and_not_time_on_the_simulator()
    {
        var result = Run(string.Empty, "bench", "kernels", "--device", "cuda-sim", "--op", "rms-norm", "--json");

        Assert.Equal(0, result.ExitCode);
        using var first = JsonDocument.Parse(result.Output.Split('\n')[0]);
        Assert.Equal("rms-norm", first.RootElement.GetProperty("op").GetString());
        Assert.True(first.RootElement.GetProperty("global_unique_bytes").GetInt64() > 0);
        Assert.Equal(1, first.RootElement.GetProperty("launches").GetInt64());
        Assert.False(first.RootElement.TryGetProperty("seconds", out _));
        Assert.Contains("not yet run on a GPU", first.RootElement.GetProperty("note").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--op frobnicate is no operation", "bench", "kernels", "--op", "frobnicate")]
    [InlineData("--model must be one of small, tinyllama, llama-7b, llama-3.1-8b", "bench", "kernels", "--model", "big")]
    [InlineData("--blas must be own or cublaslt, not 'mkl'", "bench", "kernels", "--blas", "mkl")]
    [InlineData("--blas cublaslt goes with --device cuda, not cpu", "bench", "kernels", "--blas", "cublaslt")]
    [InlineData("looked for a stand-in's name in FARM_CUBLASLT", "bench", "kernels", "--device", "cuda-sim", "--blas", "cublaslt")]
    [InlineData("farm bench sample measures time", "bench", "sample", "--model", "nowhere", "--device", "cuda-sim")]
    public void Should_refuse_what_it_cannot_do(string expected, params string[] arguments) => Refused(expected, string.Empty, arguments);

    [Fact]
    public void Should_name_a_cublaslt_that_is_not_there() =>
        Refused("FARM_CUBLASLT names /nowhere/libcublasLt.so, which is not there.", "FARM_CUBLASLT=/nowhere/libcublasLt.so", "bench", "kernels", "--device", "cuda-sim", "--blas", "cublaslt");

    private static string Ids(string json)
    {
        using var document = JsonDocument.Parse(json.Split('\n')[0]);
        return document.RootElement.GetProperty("token_ids").GetRawText();
    }

    private static void Refused(string expected, string environment, params string[] arguments)
    {
        var result = Run(environment, arguments);

        Assert.True(result.ExitCode == 2, $"exit code {result.ExitCode}: {result.Error}");
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    private static FarmResult Run(string environment, params string[] arguments)
    {
        using var process = FarmProcess.StartByShell($"{environment} FARM_PTXSIM_QUIET=1 exec \"$@\"", arguments);
        return process.Finish();
    }
}
