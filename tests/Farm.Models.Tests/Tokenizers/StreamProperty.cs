using Farm.Models.Tokenizers;

namespace Farm.Models.Tests.Tokenizers;

/// <summary>What every token stream promises, on random ids.</summary>
internal static class StreamProperty
{
    public static void Check(ITokenizer tokenizer, int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 500; round++)
        {
            var ids = Enumerable.Range(0, random.Next(20)).Select(_ => random.Next(tokenizer.VocabularySize)).ToArray();
            var skip = round % 2 == 0;
            var stream = tokenizer.CreateStream(skip);
            for (var again = 0; again < 2; again++)
            {
                var pieces = ids.Select(stream.Append).ToList();
                pieces.Add(stream.Flush());
                Assert.Equal(tokenizer.Decode(ids, skip), string.Concat(pieces));
                Assert.All(pieces, p => Assert.Equal(p, System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(p))));
            }
        }
    }
}
