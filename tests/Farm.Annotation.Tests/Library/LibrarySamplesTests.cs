using System.Text.Json;
using System.Text.RegularExpressions;
using Farm.Annotation.Annotating;
using Farm.Annotation.Judging;
using Farm.Annotation.Tests.Support;
using Farm.Core;
using Microsoft.Extensions.AI;

namespace Farm.Annotation.Tests.Library;

public sealed partial class LibrarySamplesTests : IDisposable
{
    private readonly Folder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Should_be_what_the_README_shows()
    {
        string readme = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Library", "README.md"));
        string code = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Library", "LibrarySamples.cs"));
        var shown = ShownSample().Matches(readme).ToDictionary(m => m.Groups[1].Value, m => Lines(m.Groups[2].Value));
        var compiled = CompiledSample().Matches(code).ToDictionary(m => m.Groups[1].Value, m => Lines(m.Groups[2].Value));
        Assert.Equal(4, shown.Count);
        Assert.Equal(compiled.Keys.Order(), shown.Keys.Order());
        Assert.All(shown, s => Assert.Equal(compiled[s.Key], s.Value));
    }

    [Fact]
    public async Task Should_run()
    {
        Environment.SetEnvironmentVariable("OPENAI_API_KEY", "k");
        using var server = new FakeJudgeServer(_ => FakeAnswer.Chat("first"));
        string pairs = _folder.Write("pairs.json", JsonSerializer.Serialize(new[] { new { instruction = "i", output_1 = "a", output_2 = "b" } }));
        Assert.NotNull(Assert.Single(await LibrarySamples.Pairs(_folder.Judge(), server.BaseUrl, _folder.File("j.db"), pairs)).Preference);
        Assert.NotNull(Assert.Single(await LibrarySamples.ChatClient(_folder.Judge(), new SecondClient())).Preference);
        Assert.Equal(1, Assert.Single(await LibrarySamples.Function()).Preference);
        var never = new PairwiseAnnotator(new FunctionJudge("never", (_, _) => throw new BadInputException("no")));
        await Assert.ThrowsAsync<BadInputException>(() => LibrarySamples.Stream(never, [new Farm.Annotation.Data.PairRow("i", "a", "b")], CancellationToken.None));
    }

    private static string[] Lines(string text) => [.. text.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0)];

    [GeneratedRegex(@"<!-- sample: (\S+) -->\s*```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex ShownSample();

    [GeneratedRegex(@"#region (\S+)\n(.*?)#endregion", RegexOptions.Singleline)]
    private static partial Regex CompiledSample();

    private sealed class SecondClient : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, "second")));

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }
}
