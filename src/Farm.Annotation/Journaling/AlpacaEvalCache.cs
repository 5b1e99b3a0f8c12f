using System.Globalization;
using Farm.Annotation.Annotating;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;
using Farm.Core;

namespace Farm.Annotation.Journaling;

/// <summary>alpaca_eval's cache files, <c>annotations_seed0_configs.json</c>, into a journal and out of it.</summary>
public static class AlpacaEvalCache
{
    private static readonly string[] s_key = ["instruction", "output_1", "output_2", "annotator"];

    /// <summary>Takes the rows of a cache or annotation file into a journal.</summary>
    /// <param name="journal">The journal.</param>
    /// <param name="path">The file.</param>
    /// <param name="pool">The judges; rows of annotators that are not among them are left out.</param>
    /// <param name="seed">The seed of the file.</param>
    /// <returns>Rows taken in, and rows left out.</returns>
    /// <exception cref="BadInputException">The file cannot be read.</exception>
    public static async Task<(int Imported, int Skipped)> ImportAsync(AnnotationJournal journal, string path, IReadOnlyList<IPairwiseJudge> pool, int? seed)
    {
        ArgumentNullException.ThrowIfNull(journal);
        ArgumentNullException.ThrowIfNull(pool);
        int imported = 0, skipped = 0;
        var written = new List<Task>();
        foreach (var judgment in AnnotationRows.Read(path))
        {
            // Old files do not name the annotator of a row; with one judge there is no question who it was.
            var judge = judgment.Annotator.Name.Length == 0 && pool.Count == 1 ? pool[0] : pool.FirstOrDefault(j => j.Name == judgment.Annotator.Name);
            if (judge is null || judgment.Output1 == judgment.Output2 || (judgment.Preference is null && !judgment.StoredMissing && judgment.RawCompletion is null))
            {
                skipped++;
                continue;
            }

            var row = new PairRow(judgment.Instruction, judgment.Output1, judgment.Output2, judgment.Input);
            bool switched = OutputSwap.IsSwitched(judge, row, seed);
            var key = PairKey.Of(row.Instruction, row.Input, row.Output1, row.Output2, judge.Name, judge.Identity, seed);
            string date = judgment.Extras.Text("preference_date") ?? DateTime.Now.ToString("yyyy-MM-ddTHH:mm:ss.ffffff", CultureInfo.InvariantCulture);
            var pair = new KeptPair(key, 0, switched, seed, judge.Name, row.Instruction, row.Input, row.Output1, row.Output2);
            written.Add(journal.ImportAsync(judge.Name, judge.Identity, pair, key, judgment.RawCompletion, judgment.Preference, judgment.Price, judgment.Seconds, date));
            imported++;
        }

        await Task.WhenAll(written).ConfigureAwait(false);
        return (imported, skipped);
    }

    /// <summary>Writes what a journal knows as a cache file. Failures are left out, so that alpaca_eval asks for them again.</summary>
    /// <param name="journal">The journal.</param>
    /// <param name="path">The file; rows that it has and the journal has not stay in it.</param>
    /// <param name="annotator">One annotator alone, or null for all.</param>
    /// <param name="seed">The seed.</param>
    /// <returns>Rows in the file.</returns>
    public static int Export(AnnotationJournal journal, string path, string? annotator, int? seed)
    {
        ArgumentNullException.ThrowIfNull(journal);
        using var guard = Guard(path);
        var rows = new OrderedDictionary<string, JsonRow>(StringComparer.Ordinal);
        foreach (var row in (File.Exists(path) ? RowFile.Read(path) : []).Concat(journal.Rows(annotator, seed)))
        {
            // Of two rows with one key the later stays, at the later one's place.
            string key = string.Join('\u001f', s_key.Select(f => row.Text(f)));
            rows.Remove(key);
            rows.Add(key, row);
        }

        string temporary = path + ".tmp";
        using (var writer = new StreamWriter(temporary))
        {
            PandasJson.Write(writer, rows.Values);
        }

        File.Move(temporary, path, overwrite: true);
        return rows.Count;
    }

    private static FileStream Guard(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            return new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException($"{path} cannot be written: {e.Message.TrimEnd('.')}.", e);
        }
    }
}
