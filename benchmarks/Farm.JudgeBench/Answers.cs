using Farm.Annotation.Tests.Support;

namespace Farm.JudgeBench;

/// <summary>What the fake judge says.</summary>
internal static class Answers
{
    /// <summary>The output that begins with b, wherever it is shown.</summary>
    public static FakeAnswer Honest(string body) => FakeAnswer.Chat(body.IndexOf("|b", StringComparison.Ordinal) < body.IndexOf("|a", StringComparison.Ordinal) ? "first" : "second");

    /// <summary>Which pair a request is about.</summary>
    public static int Index(string body)
    {
        int start = body.IndexOf("instruction ", StringComparison.Ordinal) + 12;
        return int.Parse(body.AsSpan(start, body.IndexOf('|', start) - start), System.Globalization.CultureInfo.InvariantCulture);
    }
}
