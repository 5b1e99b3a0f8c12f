using System.Diagnostics;
using System.Text;

namespace Farm.PtxSim.Tests;

/// <summary>Finds the simulator that <c>./build.sh ptxsim</c> made, and compiles the test kernels.</summary>
internal static class Repository
{
    private static readonly Lazy<string> s_root = new(FindRoot);
    private static readonly Dictionary<string, string> s_ptx = [];
    private static readonly Lock s_lock = new();

    /// <summary>Path of the simulator.</summary>
    public static string Simulator
    {
        get
        {
            string path = Path.Combine(s_root.Value, "artifacts", "ptxsim", "libcuda.so.1");
            return File.Exists(path) ? path : throw new InvalidOperationException($"{path} is missing; ./build.sh ptxsim makes it.");
        }
    }

    /// <summary>PTX of a .cu file in native/ptxsim/tests.</summary>
    public static string Compile(string name)
    {
        lock (s_lock)
        {
            if (!s_ptx.TryGetValue(name, out string? ptx))
            {
                ptx = RunClang(Path.Combine(s_root.Value, "native", "ptxsim", "tests", name));
                s_ptx.Add(name, ptx);
            }

            return ptx;
        }
    }

    private static string RunClang(string source)
    {
        var start = new ProcessStartInfo("clang++-19") { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments =
        [
            "-x", "cuda", "--cuda-device-only", "--cuda-gpu-arch=sm_80", "-Xclang", "-target-feature", "-Xclang", "+ptx70",
            "-nocudainc", "-nocudalib", "-std=c++20", "-O3", "-gline-directives-only", "-Wall", "-Werror", "-S", source, "-o", "-",
        ];
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        var errors = new StringBuilder();
        process.ErrorDataReceived += (_, line) => errors.AppendLine(line.Data);
        process.BeginErrorReadLine();
        string ptx = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? ptx : throw new InvalidOperationException($"clang++-19 cannot compile {source}:\n{errors}");
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder != null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "build.cake")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("The repository's root, the folder with build.cake, is not above the test binaries.");
    }
}
