using System.Diagnostics;
using System.Text;

namespace Farm.Cli.Tests.Support;

/// <summary>What a run of the command line said and how it ended.</summary>
internal sealed record FarmResult(int ExitCode, string Output, string Error);

/// <summary>The real command line in a process of its own.</summary>
internal sealed class FarmProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private readonly Process _process;
    private readonly Task<string> _error;

    private FarmProcess(Process process)
    {
        _process = process;
        _error = process.StandardError.ReadToEndAsync();
    }

    public bool HasExited => _process.HasExited;

    /// <summary>Starts it. Nobody reads its standard output until <see cref="Finish"/>: what writes much there waits.</summary>
    public static FarmProcess Start(params string[] arguments) => Start(DotNet(), [FarmDll(), .. arguments]);

    /// <summary>Starts it by a line of bash, in which "$@" is the command line.</summary>
    public static FarmProcess StartByShell(string script, params string[] arguments) =>
        Start("bash", ["-c", script, "bash", DotNet(), FarmDll(), .. arguments]);

    /// <summary>Starts it with a key in the environment (none where it is empty), and without the variables that would send requests elsewhere.</summary>
    public static FarmProcess StartAsking(string key, params string[] arguments) => StartByShell(
        "unset OPENAI_API_KEYS OPENAI_API_BASE OPENAI_BASE_URL OPENAI_ORGANIZATION_IDS OPENAI_ORG OPENAI_CLIENT_CONFIG_PATH OPENAI_MAX_CONCURRENCY OPENAI_API_KEY HF_TOKEN HUGGINGFACEHUB_API_TOKEN; "
            + $"{(key.Length > 0 ? $"export OPENAI_API_KEY={key};" : string.Empty)} exec \"$@\"",
        arguments);

    /// <summary>Runs it so to its end.</summary>
    public static FarmResult RunAsking(string key, params string[] arguments)
    {
        using var process = StartAsking(key, arguments);
        return process.Finish();
    }

    /// <summary>Runs it to its end.</summary>
    public static FarmResult Run(params string[] arguments)
    {
        using var process = Start(arguments);
        return process.Finish();
    }

    /// <summary>Reads all that it writes and waits for its end.</summary>
    public FarmResult Finish()
    {
        var output = _process.StandardOutput.ReadToEndAsync();
        if (!_process.WaitForExit(Patience))
        {
            _process.Kill();
            throw new TimeoutException("The command line did not end.");
        }

        return new FarmResult(_process.ExitCode, output.GetAwaiter().GetResult(), _error.GetAwaiter().GetResult());
    }

    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", $"{_process.Id}"]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private static FarmProcess Start(string program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        return new FarmProcess(Process.Start(start)!);
    }

    private static string DotNet() => Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    private static string FarmDll() => Path.Combine(AppContext.BaseDirectory, "farm.dll");
}
