using System.Reflection;

namespace Farm.Cuda.Launch;

/// <summary>
/// Every kernel with its launch geometry. Each family declares its rows as static readonly fields of its class, named like the entries in Pascal case.
/// </summary>
internal static class KernelTable
{
    /// <summary>All rows; a row's <see cref="Kernel.Index"/> is its place here.</summary>
    internal static IReadOnlyList<Kernel> All { get; } = Number(typeof(InferenceKernels), typeof(TrainingKernels));

    private static Kernel[] Number(params Type[] families)
    {
        Kernel[] rows = [.. families
            .SelectMany(f => f.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public))
            .Where(f => f.FieldType == typeof(Kernel))
            .Select(f => (Kernel)f.GetValue(null)!)
            .OrderBy(k => k.Module, StringComparer.Ordinal).ThenBy(k => k.Name, StringComparer.Ordinal)];
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i].Index = i;
        }

        return rows;
    }
}
