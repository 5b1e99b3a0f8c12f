// The tasks behind build.sh. Everything is built in Release; what is built lies in bin/ and obj/ of each project and in artifacts/.
#load "kernels/PtxRules.cs"
using System.Xml.Linq;

var target = Argument("target", "Build");
var verify = HasArgument("verify");
var root = MakeAbsolute(Directory("./"));
var artifacts = root.Combine("artifacts");
var nativeBuild = artifacts.Combine("native");
var solution = root.CombineWithFilePath("Farm.sln");
var results = artifacts.Combine("test-results");

void Execute(string program, ProcessArgumentBuilder arguments, DirectoryPath folder = null)
{
    int code = StartProcess(program, new ProcessSettings { Arguments = arguments, WorkingDirectory = folder ?? root });
    if (code != 0)
    {
        throw new CakeException($"{program} {arguments.RenderSafe()} ended with exit code {code}.");
    }
}

void BuildDotNet(FilePath project) =>
    DotNetBuild(project.FullPath, new DotNetBuildSettings
    {
        Configuration = "Release",
        NoLogo = true,
        Verbosity = DotNetVerbosity.Minimal,
        // Idle build servers would keep gigabytes of a small machine.
        ArgumentCustomization = arguments => arguments.Append("-nodeReuse:false"),
    });

Task("Kernels")
    .Description("CUDA kernels into artifacts/kernels: one PTX text for each .cu, checked against the rules.")
    .Does(() =>
{
    var source = root.Combine("kernels");
    var output = artifacts.Combine("kernels");
    EnsureDirectoryExists(output);
    string compiler = EnvironmentVariable("FARM_CLANG") ?? "clang++-19";
    var opcodeList = source.CombineWithFilePath("opcodes.txt");
    var opcodes = PtxRules.Opcodes(System.IO.File.ReadAllLines(opcodeList.FullPath));
    var shared = GetFiles("./kernels/*.cuh").Append(opcodeList).Append(source.CombineWithFilePath("PtxRules.cs")).Append(root.CombineWithFilePath("build.cake"));
    DateTime Written(FilePath file) => System.IO.File.GetLastWriteTimeUtc(file.FullPath);
    DateTime newest = shared.Max(Written);
    var kernels = GetFiles("./kernels/*.cu").OrderBy(f => f.FullPath, StringComparer.Ordinal).ToList();
    foreach (var stale in GetFiles(output.FullPath + "/*.ptx").Where(p => !kernels.Any(k => k.GetFilenameWithoutExtension().ToString() == p.GetFilenameWithoutExtension().ToString())))
    {
        DeleteFile(stale);
    }

    foreach (var kernel in kernels)
    {
        var ptx = output.CombineWithFilePath(kernel.GetFilenameWithoutExtension().AppendExtension(".ptx"));
        if (FileExists(ptx) && Written(ptx) > newest && Written(ptx) > Written(kernel))
        {
            continue;
        }

        // Kept under another name until it has passed, so that a refused kernel is compiled and refused again.
        string unchecked_ = ptx.FullPath + ".unchecked";
        Execute(compiler, new ProcessArgumentBuilder()
            .Append("-x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -Xclang -target-feature -Xclang +ptx70 -nocudainc -nocudalib")
            .Append("-std=c++20 -O3 -mllvm -disable-block-placement -gline-directives-only -Wall -Werror -S").AppendQuoted(kernel.FullPath).Append("-o").AppendQuoted(unchecked_));
        var breaches = PtxRules.Breaches(System.IO.File.ReadAllText(unchecked_), opcodes).ToList();
        if (breaches.Count > 0)
        {
            throw new CakeException($"{kernel.GetFilename()} may not ship (the text is {unchecked_}):\n  " + string.Join("\n  ", breaches.Take(20)));
        }

        System.IO.File.Move(unchecked_, ptx.FullPath, overwrite: true);
        System.IO.File.SetLastWriteTimeUtc(ptx.FullPath, DateTime.UtcNow);
    }
});

// CMake refuses a cache that was made elsewhere, e.g. before the checkout was moved.
void BuildCMake(DirectoryPath source, DirectoryPath build, params string[] options)
{
    var cache = build.CombineWithFilePath("CMakeCache.txt");
    if (FileExists(cache) && !System.IO.File.ReadLines(cache.FullPath).Contains($"CMAKE_HOME_DIRECTORY:INTERNAL={source.FullPath}"))
    {
        DeleteDirectory(build, new DeleteDirectorySettings { Recursive = true, Force = true });
    }

    var configure = new ProcessArgumentBuilder()
        .Append("-S").AppendQuoted(source.FullPath)
        .Append("-B").AppendQuoted(build.FullPath)
        .Append("-DCMAKE_BUILD_TYPE=Release");
    foreach (string option in options)
    {
        configure.AppendQuoted(option);
    }

    Execute("cmake", configure);
    Execute("cmake", new ProcessArgumentBuilder()
        .Append("--build").AppendQuoted(build.FullPath)
        .Append("--parallel").Append(Environment.ProcessorCount.ToString()));
}

Task("Native")
    .Description("CPU kernels into artifacts/native, CUDA kernels into artifacts/kernels, the driver simulator into artifacts/ptxsim.")
    .IsDependentOn("Kernels")
    .IsDependentOn("PtxSim")
    .Does(() => BuildCMake(root.Combine("native"), nativeBuild));

Task("PtxSim")
    .Description("The CUDA driver simulator, a libcuda.so.1 that runs PTX on the CPU, into artifacts/ptxsim.")
    .Does(() => BuildCMake(root.Combine("native/ptxsim"), artifacts.Combine("ptxsim"), "-DCMAKE_CXX_COMPILER=" + (EnvironmentVariable("FARM_CLANG") ?? "clang++-19")));

Task("Build")
    .Description("The kernels and the whole solution.")
    .IsDependentOn("Native")
    .Does(() => BuildDotNet(solution));

Task("Farm")
    .Description("The kernels and the command line alone.")
    .IsDependentOn("Native")
    .Does(() => BuildDotNet(root.CombineWithFilePath("src/Farm.Cli/Farm.Cli.csproj")));

Task("Test")
    .Description("Every test project; the sum goes to artifacts/test-results/summary.txt.")
    .IsDependentOn("Build")
    .IsDependentOn("PtxSim")
    .Does(() =>
{
    CleanDirectory(results);
    int passed = 0, failed = 0, skipped = 0;
    var broken = new List<string>();
    foreach (var project in GetFiles("./tests/*/*.csproj").OrderBy(p => p.FullPath, StringComparer.Ordinal))
    {
        string name = project.GetFilenameWithoutExtension().ToString();
        if (!name.EndsWith(".Tests") && name != "Parity")
        {
            continue;
        }

        if (name == "Parity" && !DirectoryExists(EnvironmentVariable("FARM_SHARED") ?? root.Combine("../shared").FullPath))
        {
            Warning("Parity is skipped: it compares with reference models and data in ../shared (or FARM_SHARED), which are not there.");
            skipped++;
            continue;
        }

        Information($"--- {name}");
        int code = StartProcess("dotnet", new ProcessSettings
        {
            WorkingDirectory = root,
            Arguments = new ProcessArgumentBuilder()
                .Append("test").AppendQuoted(project.FullPath)
                .Append("-c Release --no-build --nologo")
                .Append("--results-directory").AppendQuoted(results.FullPath)
                .Append("--logger").AppendQuoted($"trx;LogFileName={name}.trx")
                .Append("--logger").AppendQuoted("console;verbosity=minimal"),
        });

        int projectFailed = 0;
        var trx = results.CombineWithFilePath(name + ".trx");
        if (FileExists(trx))
        {
            var counters = XDocument.Load(trx.FullPath).Descendants().First(e => e.Name.LocalName == "Counters");
            int Count(string attribute) => (int)counters.Attribute(attribute);
            passed += Count("passed");
            projectFailed = Count("executed") - Count("passed");
            skipped += Count("total") - Count("executed");
        }

        // A crashed test host fails without a failed test; it must not vanish from the sum.
        if (code != 0 && projectFailed == 0)
        {
            projectFailed = 1;
        }

        failed += projectFailed;
        if (projectFailed > 0)
        {
            broken.Add(name);
        }
    }

    System.IO.File.WriteAllText(results.CombineWithFilePath("summary.txt").FullPath, $"{passed} passed, {failed} failed, {skipped} skipped\n");
    if (failed > 0)
    {
        throw new CakeException($"Tests failed in {string.Join(", ", broken)}.");
    }

    if (passed == 0)
    {
        throw new CakeException("No test ran.");
    }
});

void RunProject(string project)
{
    var rest = Environment.GetCommandLineArgs().SkipWhile(a => a != "--").Skip(1);
    var arguments = new ProcessArgumentBuilder().Append("run -c Release --project").AppendQuoted(root.Combine(project).FullPath).Append("--");
    foreach (string argument in rest)
    {
        arguments.AppendQuoted(argument);
    }

    Execute("dotnet", arguments);
}

Task("Bench")
    .Description("BenchmarkDotNet over benchmarks/Farm.Benchmarks; what follows -- goes to it.")
    .IsDependentOn("Native")
    .Does(() => RunProject("benchmarks/Farm.Benchmarks"));

Task("Roofline")
    .Description("The projection to GPUs from the counts in benchmarks/roofline; what follows -- goes to it.")
    .IsDependentOn("Native")
    .Does(() => RunProject("benchmarks/roofline"));

Task("Pack")
    .Description("The command line with its kernels into artifacts/pack, as a folder and a tar.gz; it needs the .NET 10 runtime.")
    .IsDependentOn("Native")
    .Does(() =>
{
    string architecture = System.Runtime.InteropServices.RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant();
    var pack = artifacts.Combine("pack");
    var folder = pack.Combine($"farm-linux-{architecture}");
    CleanDirectory(pack);
    DotNetPublish(root.CombineWithFilePath("src/Farm.Cli/Farm.Cli.csproj").FullPath, new DotNetPublishSettings
    {
        Configuration = "Release",
        NoLogo = true,
        OutputDirectory = folder,
    });
    Execute("tar", new ProcessArgumentBuilder()
        .Append("-czf").AppendQuoted(folder.FullPath + ".tar.gz")
        .Append("-C").AppendQuoted(pack.FullPath)
        .AppendQuoted(folder.GetDirectoryName()));
    Information($"{folder.FullPath}.tar.gz");
});

Task("Format")
    .Description("dotnet format and clang-format; --verify changes nothing and fails on a difference.")
    .Does(() =>
{
    Execute("dotnet", new ProcessArgumentBuilder()
        .Append("format").AppendQuoted(solution.FullPath)
        .Append(verify ? "--verify-no-changes" : string.Empty));
    var sources = new[] { "native", "kernels" }.Where(d => DirectoryExists(d))
        .SelectMany(d => new[] { "h", "cpp", "cu", "cuh" }.SelectMany(e => GetFiles($"./{d}/**/*.{e}")))
        .OrderBy(f => f.FullPath, StringComparer.Ordinal).ToList();
    if (sources.Count > 0)
    {
        var arguments = new ProcessArgumentBuilder().Append(verify ? "--dry-run --Werror" : "-i");
        sources.ForEach(f => arguments.AppendQuoted(f.FullPath));
        Execute("clang-format", arguments);
    }
});

RunTarget(target);
