using Farm.Core;

namespace Farm.Annotation.Metrics;

/// <summary>The annotations of one model against a reference.</summary>
/// <param name="Name">The model's name.</param>
/// <param name="Pairs">Its rows, positions counted from 0.</param>
public sealed record ModelAnnotations(string Name, IReadOnlyList<ScoredPair> Pairs)
{
    /// <summary>Reads a file: one model, or several where its rows name several in <c>generator_2</c>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="name">The model's name; without it <c>generator_2</c>, or else the folder's.</param>
    /// <exception cref="BadInputException">The file is no annotation file, or has several models where one name is given.</exception>
    public static IReadOnlyList<ModelAnnotations> Read(string path, string? name = null)
    {
        var pairs = AnnotationFile.Read(path);
        var generators = pairs.Select(p => p.Generator2).OfType<string>().Distinct(StringComparer.Ordinal).ToList();
        if (name is not null || generators.Count <= 1)
        {
            return [new ModelAnnotations(name ?? generators.FirstOrDefault() ?? FolderName(path, pairs), pairs)];
        }

        if (pairs.FirstOrDefault(p => p.Generator2 is null) is { } nameless)
        {
            throw new BadInputException($"{nameless.Place}: the field 'generator_2' is missing, and the file has rows of {generators.Count} models.");
        }

        return [.. pairs.GroupBy(p => p.Generator2!).Select(g => new ModelAnnotations(g.Key, [.. g.Select((p, i) => p with { Position = i })]))];
    }

    /// <summary>
    /// AlpacaEval keeps a model's file in results/MODEL/JUDGE/annotations.json: the folder above is the judge's where the rows say so, or where
    /// the model's outputs lie one further up.
    /// </summary>
    private static string FolderName(string path, IReadOnlyList<ScoredPair> pairs)
    {
        var folder = Directory.GetParent(Path.GetFullPath(path));
        bool judges = folder?.Parent?.Parent is not null
            && (pairs.Any(p => p.Annotator == folder.Name) || File.Exists(Path.Combine(folder.Parent.FullName, "model_outputs.json")));
        string? found = judges ? folder!.Parent!.Name : folder?.Name;
        return string.IsNullOrEmpty(found) || found == Path.DirectorySeparatorChar.ToString() ? "Current model" : found;
    }
}
