using System.Text.Json;
using Farm.Annotation.Data;
using Farm.Annotation.Judging;
using Farm.Annotation.Parsing;
using Farm.Core;
using Microsoft.Data.Sqlite;

namespace Farm.Annotation.Journaling;

/// <summary>
/// A SQLite file that holds every request before it is sent and every reply before it is used. What a killed run paid for is there when the
/// next one asks. One run has it at a time; what others see is whole.
/// </summary>
public sealed class AnnotationJournal : IDisposable
{
    private readonly JournalFile _file;

    private AnnotationJournal(JournalFile file) => _file = file;

    /// <summary>The file.</summary>
    public string Path => _file.Path;

    /// <summary>Opens a journal, making it where there is none.</summary>
    /// <exception cref="BadInputException">Another run has it, or the file is no journal or cannot be written.</exception>
    public static AnnotationJournal Open(string path) => new(JournalFile.Open(path));

    /// <summary>Requests and replies that are kept.</summary>
    public (long Requests, long Replies) Count() => _file.Read(c =>
    {
        using var row = c.Query("SELECT count(*), count(reply) FROM calls");
        row.Read();
        return (row.GetInt64(0), row.GetInt64(1));
    });

    /// <summary>The settings of the last run that did not end; null where there is none.</summary>
    public string? UnfinishedRun() => _file.Read(c => c.Scalar("SELECT fingerprint FROM runs WHERE ended_at IS NULL AND id = (SELECT max(id) FROM runs)") as string);

    /// <summary>Notes that a run begins.</summary>
    public Task BeginRunAsync(string fingerprint) => _file.WriteAsync(c => c.Execute(
        "INSERT INTO runs (fingerprint, began_at) VALUES ($fingerprint, $at)", ("$fingerprint", fingerprint), ("$at", JournalFile.Now())));

    /// <summary>Notes that the run came to its end.</summary>
    public Task EndRunAsync() => _file.WriteAsync(c => c.Execute("UPDATE runs SET ended_at = $at WHERE id = (SELECT max(id) FROM runs)", ("$at", JournalFile.Now())));

    /// <summary>Closes the file and lets others have it.</summary>
    public void Dispose() => _file.Dispose();

    /// <summary>Looks up what came of a pair the last time it was asked.</summary>
    internal KeptReply? Find(PairKey key) => _file.Read(c =>
    {
        using var row = c.Query(
            """
            SELECT c.reply, c.failure, c.detail, c.tokens, c.price, c.seconds, c.replied_at, c.pairs, p.position, p.switched, p.preference, p.imported
            FROM pairs p JOIN calls c ON c.id = p.call WHERE p.key = $key AND c.replied_at IS NOT NULL ORDER BY p.call DESC LIMIT 1
            """,
            ("$key", key.ToArray()));
        return !row.Read() ? null : new KeptReply(
            row.IsDBNull(0) ? null : JsonElement.Parse(row.GetString(0)),
            row.IsDBNull(1) ? null : new JudgeFailure(JudgeFailure.ReasonOf(row.GetString(1)), row.GetString(2)),
            Real(row, 3),
            Real(row, 4),
            Real(row, 5),
            row.GetString(6),
            row.GetInt32(7),
            row.GetInt32(8),
            row.GetBoolean(9),
            Real(row, 10),
            row.GetBoolean(11));
    });

    /// <summary>A number for a new request.</summary>
    internal long NextCall() => _file.NextCall();

    /// <summary>Keeps a request before it is sent.</summary>
    internal Task AppendRequestAsync(long call, string annotator, string identity, string body, IReadOnlyList<KeptPair> pairs) => _file.WriteAsync(c =>
    {
        c.Execute(
            "INSERT INTO calls (id, annotator, identity, request, sent_at, pairs) VALUES ($id, $annotator, $identity, $request, $at, $pairs)",
            ("$id", call), ("$annotator", annotator), ("$identity", identity), ("$request", body), ("$at", JournalFile.Now()), ("$pairs", pairs.Count));
        foreach (var pair in pairs)
        {
            if (pair.Key is { } key)
            {
                Insert(c, call, pair, key, null, false);
            }
        }
    });

    /// <summary>Keeps what came of a request before it is used.</summary>
    internal Task AppendReplyAsync(long call, JudgeReply reply, double seconds, string date, IReadOnlyList<double?> preferences) => _file.WriteAsync(c =>
    {
        c.Execute(
            "UPDATE calls SET reply = $reply, failure = $failure, detail = $detail, tokens = $tokens, price = $price, seconds = $seconds, replied_at = $at, attempts = $attempts WHERE id = $id",
            ("$reply", reply.Raw?.GetRawText()), ("$failure", reply.Failure?.Code), ("$detail", reply.Failure?.Detail), ("$tokens", reply.TotalTokens), ("$price", reply.Price),
            ("$seconds", seconds), ("$at", date), ("$attempts", reply.Attempts), ("$id", call));
        for (int i = 0; i < preferences.Count; i++)
        {
            if (preferences[i] is { } preference)
            {
                c.Execute("UPDATE pairs SET preference = $preference WHERE call = $call AND position = $position", ("$preference", preference), ("$call", call), ("$position", i));
            }
        }
    });

    /// <summary>Takes a judgment of another tool in, as if it had been asked for here.</summary>
    internal Task ImportAsync(string annotator, string identity, KeptPair pair, PairKey key, JsonElement? raw, double? preference, double? price, double? seconds, string date)
    {
        long call = NextCall();
        return _file.WriteAsync(c =>
        {
            c.Execute(
                "INSERT INTO calls (id, annotator, identity, sent_at, pairs, reply, failure, detail, price, seconds, replied_at) VALUES ($id, $annotator, $identity, $at, 1, $reply, $failure, $detail, $price, $seconds, $at)",
                ("$id", call), ("$annotator", annotator), ("$identity", identity), ("$at", date), ("$reply", raw?.GetRawText()),
                ("$failure", preference is null ? "imported" : null), ("$detail", preference is null ? "the imported file has no preference" : null), ("$price", price), ("$seconds", seconds));
            Insert(c, call, pair, key, preference, true);
        });
    }

    /// <summary>All pairs whose last reply says a preference, for export.</summary>
    internal IReadOnlyList<JsonRow> Rows(string? annotator, int? seed) => _file.Read(c =>
    {
        using var reader = c.Query(
            """
            SELECT p.instruction, p.input, p.output_1, p.output_2, p.annotator, p.preference, c.price / c.pairs, c.seconds / c.pairs, c.replied_at, c.reply
            FROM pairs p JOIN calls c ON c.id = p.call
            WHERE p.preference IS NOT NULL AND ($annotator IS NULL OR p.annotator = $annotator) AND p.seed IS $seed
              AND p.call = (SELECT max(call) FROM pairs q WHERE q.key = p.key)
            ORDER BY p.call, p.position
            """,
            ("$annotator", annotator), ("$seed", seed));
        var rows = new List<JsonRow>();
        while (reader.Read())
        {
            rows.Add(Row(reader));
        }

        return rows;
    });

    private static JsonRow Row(SqliteDataReader reader)
    {
        var row = new JsonRow();
        row.Set("instruction", reader.GetString(0));
        if (!reader.IsDBNull(1))
        {
            row.Set("input", reader.GetString(1));
        }

        row.Set("output_1", reader.GetString(2));
        row.Set("output_2", reader.GetString(3));
        row.Set("annotator", reader.GetString(4));
        row["preference"] = AnnotationRows.PreferenceValue(reader.GetDouble(5));
        row["preference_price_per_example"] = AnnotationRows.PreferenceValue(Real(reader, 6));
        row["preference_time_per_example"] = AnnotationRows.PreferenceValue(Real(reader, 7));
        row.Set("preference_date", reader.GetString(8));
        row["preference_raw_completion"] = reader.IsDBNull(9) ? JsonRow.Value<object?>(null) : JsonElement.Parse(reader.GetString(9));
        return row;
    }

    private static double? Real(SqliteDataReader row, int column) => row.IsDBNull(column) ? null : row.GetDouble(column);

    private static void Insert(JournalConnection connection, long call, KeptPair pair, PairKey key, double? preference, bool imported) => connection.Execute(
        "INSERT OR REPLACE INTO pairs (key, call, position, switched, seed, annotator, instruction, input, output_1, output_2, preference, imported) VALUES ($key, $call, $position, $switched, $seed, $annotator, $instruction, $input, $output1, $output2, $preference, $imported)",
        ("$key", key.ToArray()), ("$call", call), ("$position", pair.Position), ("$switched", pair.IsSwitched), ("$seed", pair.Seed), ("$annotator", pair.Annotator),
        ("$instruction", pair.Instruction), ("$input", pair.Input), ("$output1", pair.Output1), ("$output2", pair.Output2), ("$preference", preference), ("$imported", imported));
}

/// <summary>A pair of a request, as the journal keeps it. Its key is what it is found under; null for the dummy that fills a batch.</summary>
internal sealed record KeptPair(PairKey? Key, int Position, bool IsSwitched, int? Seed, string Annotator, string Instruction, string? Input, string Output1, string Output2);

/// <summary>What a journal knows of a pair.</summary>
internal sealed record KeptReply(
    JsonElement? Raw, JudgeFailure? Failure, double? Tokens, double? Price, double? Seconds, string Date, int Pairs, int Position, bool IsSwitched, double? Preference, bool IsImported);
