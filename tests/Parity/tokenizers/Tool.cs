using System.Diagnostics;

namespace Parity.Tokenizers;

/// <summary>Runs the programs that the tokenizers are compared with.</summary>
internal static class Tool
{
    /// <summary>The repository, found by its solution file above the test binary.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>Where tests keep what they install and make; not under version control.</summary>
    public static string Artifacts { get; } = Directory.CreateDirectory(Path.Combine(Repository, "artifacts", "parity")).FullName;

    /// <summary>Standard output of a program that must succeed. A missing program fails the test with what to install.</summary>
    public static string Run(string program, string install, string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new InvalidOperationException($"{program} is not installed and this test compares with it: run '{install}'.");
        }

        using (process)
        {
            var errors = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} failed: {errors.Result}");
        }
    }

    /// <summary>A SentencePiece program (spm_encode, spm_train, spm_decode).</summary>
    public static string SentencePiece(string program, params string[] arguments) =>
        Run(program, "apt-get install -y sentencepiece", Artifacts, arguments);

    /// <summary>A Node script of this folder.</summary>
    public static string Node(string script, params string[] arguments) =>
        Run("node", "apt-get install -y nodejs npm", Artifacts, [Path.Combine(Repository, "tests", "Parity", "tokenizers", script), .. arguments]);

    /// <summary>The folder with node_modules, installed on first use.</summary>
    public static string NodeModules { get; } = Install();

    /// <summary>A fresh folder under <see cref="Artifacts"/>.</summary>
    public static string Scratch(string name)
    {
        var folder = Path.Combine(Artifacts, name);
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        return Directory.CreateDirectory(folder).FullName;
    }

    private static string Install()
    {
        var source = Path.Combine(Repository, "tests", "Parity", "tokenizers");
        var folder = Directory.CreateDirectory(Path.Combine(Artifacts, "node")).FullName;
        var stamp = Path.Combine(folder, "installed");
        var wanted = File.ReadAllText(Path.Combine(source, "package-lock.json"));
        if (!File.Exists(stamp) || File.ReadAllText(stamp) != wanted)
        {
            foreach (var file in new[] { "package.json", "package-lock.json" })
            {
                File.Copy(Path.Combine(source, file), Path.Combine(folder, file), overwrite: true);
            }

            Run("npm", "apt-get install -y nodejs npm", folder, "ci", "--no-audit", "--no-fund");
            File.WriteAllText(stamp, wanted);
        }

        return folder;
    }

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Farm.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("No Farm.sln stands above the test binary.");
    }
}
