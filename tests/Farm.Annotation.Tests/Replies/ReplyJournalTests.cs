using System.Text;
using Farm.Annotation.Completions;
using Farm.Annotation.Replies;
using Farm.Annotation.Tests.Metrics;
using Farm.Core;

namespace Farm.Annotation.Tests.Replies;

public class ReplyJournalTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose()
    {
        _scratch.Dispose();
        GC.SuppressFinalize(this);
    }

    private static Task<CompletionReply> Ask(ICompletionClient client, string text) => new Respondent(client, "m").AskAsync(Prompt.Chat(text), new Decoding(), CancellationToken.None);

    [Fact]
    public async Task Should_pay_for_no_reply_twice()
    {
        var first = new ScriptedClient((text, n) => $"{text} {n}");
        using (var journal = ReplyJournal.Open(_scratch["j"], first))
        {
            Assert.Equal("a 0", (await Ask(journal, "a")).Text);
            Assert.Equal("a 1", (await Ask(journal, "a")).Text);
        }

        var second = new ScriptedClient((text, _) => $"{text} anew");
        using var again = ReplyJournal.Open(_scratch["j"], second);
        Assert.Equal(2, again.Restored);
        Assert.Equal(["a 0", "a 1", "a anew"], [(await Ask(again, "a")).Text, (await Ask(again, "a")).Text, (await Ask(again, "a")).Text]);
        Assert.Single(second.Requests);
    }

    [Fact]
    public async Task Should_not_keep_failures()
    {
        using (var journal = ReplyJournal.Open(_scratch["j"], new ScriptedClient((_, _) => null)))
        {
            Assert.NotNull((await Ask(journal, "a")).Failure);
        }

        using var again = ReplyJournal.Open(_scratch["j"], new ScriptedClient((_, _) => "yes"));
        Assert.Equal("yes", (await Ask(again, "a")).Text);
    }

    [Fact]
    public async Task Should_keep_the_request_before_it_is_sent_and_the_reply_before_it_is_used()
    {
        (long Requests, long Replies) seen = default;
        using (var journal = ReplyJournal.Open(_scratch["j"], new ScriptedClient((text, _) =>
        {
            seen = Count();
            return text;
        })))
        {
            await Ask(journal, "a");
            Assert.Equal((1, 0), seen);
            Assert.Equal((1, 1), Count());
        }

        (long, long) Count()
        {
            using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={_scratch["j"]};Mode=ReadOnly;Pooling=False");
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "SELECT count(*), count(reply) FROM calls WHERE request LIKE '%\"content\":\"a\"%'";
            using var row = command.ExecuteReader();
            row.Read();
            return (row.GetInt64(0), row.GetInt64(1));
        }
    }

    [Fact]
    public async Task Should_share_one_file_between_two_models()
    {
        using (var first = ReplyJournal.Open(_scratch["j"], new ScriptedClient((_, _) => "of one")))
        {
            await new Respondent(first, "one").AskAsync(Prompt.Chat("a"), new Decoding(), CancellationToken.None);
            using var second = first.Before(new ScriptedClient((_, _) => "of two"));
            await new Respondent(second, "two").AskAsync(Prompt.Chat("a"), new Decoding(), CancellationToken.None);
        }

        using var again = ReplyJournal.Open(_scratch["j"], new ScriptedClient((_, _) => null));
        Assert.Equal(2, again.Restored);
        Assert.Equal("of two", (await new Respondent(again.Before(new ScriptedClient((_, _) => null)), "two").AskAsync(Prompt.Chat("a"), new Decoding(), CancellationToken.None)).Text);
    }

    [Fact]
    public void Should_refuse_a_second_run_on_one_journal()
    {
        using var open = ReplyJournal.Open(_scratch["j"], new ScriptedClient((_, _) => null));
        Assert.Contains("in use by another run", Assert.Throws<BadInputException>(() => ReplyJournal.Open(_scratch["j"], new ScriptedClient((_, _) => null))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[{\"a\": 1}]\n")]
    [InlineData("{\"request\": 3}\n")]
    [InlineData("some text")]
    public void Should_refuse_and_leave_alone_what_is_no_journal(string text)
    {
        _scratch.Write("j", text);
        Assert.Contains("no journal of annotations", Assert.Throws<BadInputException>(() => ReplyJournal.Open(_scratch["j"], new ScriptedClient((_, _) => null))).Message, StringComparison.Ordinal);
        Assert.Equal(text, File.ReadAllText(_scratch["j"], Encoding.UTF8));
    }

    [Fact]
    public async Task Should_stop_before_the_cost_limit_and_book_restored_replies_as_free()
    {
        var ledger = new CostLedger(maxCost: 2);
        using (var journal = ReplyJournal.Open(_scratch["j"], new ScriptedClient((text, _) => text)))
        {
            var paid = new Respondent(journal, "m", 0.05, ledger);
            await paid.AskAsync(Prompt.Chat("a"), new Decoding { MaxTokens = 10 }, CancellationToken.None);
            Assert.Equal(0.5, ledger.Spent, 10);
            await Assert.ThrowsAsync<CostLimitException>(() => paid.AskAsync(Prompt.Chat("b"), new Decoding { MaxTokens = 100 }, CancellationToken.None));
        }

        using var again = ReplyJournal.Open(_scratch["j"], new ScriptedClient((_, _) => null));
        var later = new CostLedger();
        await new Respondent(again, "m", 0.05, later).AskAsync(Prompt.Chat("a"), new Decoding { MaxTokens = 10 }, CancellationToken.None);
        Assert.Equal((0, 0), (later.Spent, later.Requests));
    }

    [Fact]
    public async Task Should_keep_a_reply_that_comes_in_after_the_run_was_stopped()
    {
        using var stop = new CancellationTokenSource();
        using (var journal = ReplyJournal.Open(_scratch["j"], new ScriptedClient((text, _) =>
        {
            stop.Cancel();
            return text;
        })))
        {
            await new Respondent(journal, "m").AskAsync(Prompt.Chat("a"), new Decoding(), stop.Token);
            await Assert.ThrowsAsync<OperationCanceledException>(() => new Respondent(journal, "m").AskAsync(Prompt.Chat("b"), new Decoding(), stop.Token));
        }

        using var again = ReplyJournal.Open(_scratch["j"], new ScriptedClient((_, _) => null));
        Assert.Equal(1, again.Restored);
    }
}
