using System.Diagnostics;
using System.Globalization;

namespace Farm.Cli.Machine;

/// <summary>The largest resident memory of this process so far.</summary>
internal static class PeakMemory
{
    /// <summary>Bytes: <c>VmHWM</c> of Linux, elsewhere what the runtime says.</summary>
    public static long Bytes()
    {
        if (OperatingSystem.IsLinux())
        {
            foreach (string line in File.ReadLines("/proc/self/status"))
            {
                if (line.StartsWith("VmHWM:", StringComparison.Ordinal))
                {
                    return long.Parse(line.AsSpan(6).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) * 1024;
                }
            }
        }

        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
