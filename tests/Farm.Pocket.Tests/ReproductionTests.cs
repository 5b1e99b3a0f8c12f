using System.Security.Cryptography;

namespace Farm.Pocket.Tests;

/// <summary>The embedded models were trained on these files: whoever makes them again must get the same bytes.</summary>
public sealed class ReproductionTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("farm-pocket-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Should_export_the_files_that_the_embedded_models_learned_from()
    {
        var sums = PocketWorld.Default.Export(_folder).Select(f => $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(_folder, f.File))))}  {f.File}  {f.Rows}");
        Assert.Equal(
            [
                "3b9bc69233f18aa0542477cd3b575d6448a99ec1725d4c6e4ed5976e172e9a2c  alpaca_instructions/sft.json  24000",
                "c9f445dafb4f530d8e9bddc0373347b9365789b94fb7acad87c8892890c5ccb9  alpaca_instructions/preference.json  24000",
                "abff1d6a78123f1d3b6e6169ad70526f618e6b2fd4ead429d07de18719ab689d  alpaca_instructions/unlabeled.json  4000",
                "2baa641392b67435942be6fdd852a8e11020b4d45865fa84c8782dea320ff4db  alpaca_instructions/val.json  500",
                "f8fea8b082b0cd4c6bdf76af402fe792176a14bffb66f4db4d28eaa4ef64b041  alpaca_farm_evaluation.json  200",
                "8fad3fa6c420364145e1dab86f8140984004ff8b8ed8b1f94e325396d123bae7  alpaca_noisy_multi_preference.json  24000",
            ],
            sums);
    }
}
