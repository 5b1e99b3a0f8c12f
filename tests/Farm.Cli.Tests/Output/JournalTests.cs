using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Farm.Cli.Output;
using Farm.Cli.Tests.Support;
using Farm.Core;

namespace Farm.Cli.Tests.Output;

public sealed class JournalTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string OutputPath => _folder.File("out.json");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Should_write_rows_in_order_with_four_spaces_and_plain_letters()
    {
        using (var journal = Open())
        {
            Append(journal, 1, "zwei");
            Append(journal, 0, "é 漢 <b>");
            journal.Complete();
        }

        Assert.Equal("[\n    {\n        \"text\": \"é 漢 <b>\"\n    },\n    {\n        \"text\": \"zwei\"\n    }\n]\n", File.ReadAllText(OutputPath));
        Assert.Equal(["out.json"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Should_go_on_after_a_kill_as_if_nothing_had_happened()
    {
        using (var journal = Open())
        {
            Append(journal, 0, "a");
            Append(journal, 1, "b");
            journal.Complete();
        }

        byte[] uninterrupted = File.ReadAllBytes(OutputPath);
        File.Delete(OutputPath);
        using (var journal = Open())
        {
            Append(journal, 1, "b");
        }

        using (var journal = Open(resume: true))
        {
            Assert.True(journal.Contains(1));
            Assert.False(journal.Contains(0));
            Append(journal, 0, "a");
            journal.Complete();
        }

        Assert.Equal(uninterrupted, File.ReadAllBytes(OutputPath));
    }

    [Fact]
    public void Should_drop_a_line_torn_anywhere_and_keep_the_lines_before_it()
    {
        using (var journal = Open())
        {
            Append(journal, 0, "a");
            Append(journal, 1, "bé");
        }

        string path = Journal.PathOf(OutputPath);
        byte[] whole = File.ReadAllBytes(path);
        int lastLine = Array.LastIndexOf(whole, (byte)'\n', whole.Length - 2) + 1;
        for (int length = lastLine; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            using (var journal = Open(resume: true))
            {
                Assert.True(journal.Contains(0));
                Assert.False(journal.Contains(1));
                Append(journal, 1, "bé");
            }

            Assert.Equal(whole, File.ReadAllBytes(path));
        }
    }

    [Fact]
    public void Should_begin_anew_where_not_even_the_fingerprint_was_whole()
    {
        File.WriteAllText(Journal.PathOf(OutputPath), "{\"seed\":");

        using var journal = Open(resume: true);

        Assert.Equal(0, journal.Count);
        Append(journal, 0, "a");
        journal.Complete();
        Assert.True(File.Exists(OutputPath));
    }

    [Fact]
    public void Should_refuse_an_unfinished_run_unless_told_what_to_do_with_it()
    {
        using (var journal = Open())
        {
            Append(journal, 0, "a");
        }

        string message = Assert.Throws<BadInputException>(() => Open()).Message;
        Assert.Contains("--resume", message, StringComparison.Ordinal);
        Assert.Contains("--restart", message, StringComparison.Ordinal);

        using var again = Open(restart: true);
        Assert.Equal(0, again.Count);
    }

    [Fact]
    public void Should_name_the_settings_that_differ()
    {
        Open().Dispose();

        string message = Assert.Throws<BadInputException>(() =>
            Journal.Open(OutputPath, new JsonObject { ["seed"] = 8, ["dtype"] = "f32" }, resume: true, restart: false)).Message;

        Assert.Contains("seed: 7 there, 8 now", message, StringComparison.Ordinal);
        Assert.DoesNotContain("dtype", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_say_where_a_journal_is_damaged()
    {
        Open().Dispose();
        File.AppendAllText(Journal.PathOf(OutputPath), "{\"index\": 0, \"ro\n");

        Assert.Contains("is damaged at byte", Assert.Throws<BadInputException>(() => Open(resume: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_refuse_a_second_run_on_the_same_output()
    {
        using var first = Open();

        Assert.Throws<BadInputException>(() => Open(resume: true));
    }

    [Fact]
    public void Should_find_an_output_that_cannot_be_written_before_the_work()
    {
        string file = _folder.Write("file", "x");

        Assert.Contains("is a folder", Assert.Throws<BadInputException>(() => OutputFile.Check(_folder.Path)).Message, StringComparison.Ordinal);
        Assert.Contains("names a folder", Assert.Throws<BadInputException>(() => OutputFile.Check(_folder.File("new/"))).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be written", Assert.Throws<BadInputException>(() => OutputFile.Check(Path.Combine(file, "out.json"))).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be written", Assert.Throws<BadInputException>(() => OutputFile.Check("/proc/farm/out.json")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_make_the_folder_of_the_output_and_leave_nothing_else()
    {
        string path = _folder.File("a/b/out.json");

        OutputFile.Check(path);

        Assert.Empty(Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void Should_say_that_the_disk_is_full()
    {
        var error = Assert.Throws<BadInputException>(() => OutputFile.Guard("out.json", () =>
        {
            using var full = new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            full.Write(Encoding.UTF8.GetBytes("x"));
        }));

        Assert.Equal("out.json cannot be written: the disk is full.", error.Message);
    }

    [Fact]
    public void Should_leave_the_old_output_where_the_new_one_fails()
    {
        File.WriteAllText(OutputPath, "old");

        Assert.ThrowsAny<Exception>(() => OutputFile.WriteRows(OutputPath, Failing()));

        Assert.Equal("old", File.ReadAllText(OutputPath));
        Assert.Equal(["out.json"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
    }

    private static IEnumerable<JsonElement> Failing()
    {
        yield return JsonDocument.Parse("{}").RootElement;
        throw new IOException("disk");
    }

    private static void Append(Journal journal, int index, string text) => journal.Append(index, w =>
    {
        w.WriteStartObject();
        w.WriteString("text", text);
        w.WriteEndObject();
    });

    private Journal Open(bool resume = false, bool restart = false) =>
        Journal.Open(OutputPath, new JsonObject { ["seed"] = 7, ["dtype"] = "f32" }, resume, restart);
}
