using System.Security.Cryptography;
using System.Text;
using Farm.Core;
using Farm.Pocket.Embedded;

namespace Farm.Pocket.Tests;

public sealed class EmbeddedModelsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("farm-pocket-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Should_write_the_models_once()
    {
        var bundle = Bundle();
        var folders = bundle.Extract(_folder);
        Assert.Equal("{p}", File.ReadAllText(Path.Combine(folders.Policy, "config.json")));
        Assert.Equal("{r}", File.ReadAllText(Path.Combine(folders.Reward, "config.json")));
        string file = Path.Combine(folders.Policy, "config.json");
        var stamp = new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(file, stamp);

        Assert.Equal(folders, bundle.Extract(_folder));
        Assert.Equal(stamp, File.GetLastWriteTimeUtc(file));
        Assert.Single(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void Should_carry_a_policy_and_a_reward_model_whole_and_small()
    {
        Assert.True(EmbeddedModels.Available);
        Assert.Equal(8, EmbeddedModels.Checksums.Count);
        var folders = EmbeddedModels.Extract(_folder);
        string[] files = [.. new[] { folders.Policy, folders.Reward }.SelectMany(f => Directory.GetFiles(f))];
        Assert.Equal(8, files.Length);
        Assert.InRange(files.Sum(f => new FileInfo(f).Length), 1, 12_000_000);
        foreach (string file in files)
        {
            string name = Path.GetRelativePath(Path.GetDirectoryName(folders.Policy)!, file).Replace('\\', '/');
            Assert.Contains($"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)))}  {name}", EmbeddedModels.Checksums);
        }
    }

    [Fact]
    public void Should_repair_what_was_changed()
    {
        var folders = Bundle().Extract(_folder);
        File.WriteAllText(Path.Combine(folders.Reward, "config.json"), "spoilt");
        Assert.Equal("{r}", File.ReadAllText(Path.Combine(Bundle().Extract(_folder).Reward, "config.json")));
        Assert.Single(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void Should_leave_nothing_of_a_damaged_bundle()
    {
        Assert.Throws<InvalidDataException>(() => Bundle(policy: "{x}").Extract(_folder));
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void Should_extract_from_several_threads_at_once()
    {
        var folders = new ModelFolders[8];
        Parallel.For(0, folders.Length, i => folders[i] = Bundle().Extract(_folder));
        Assert.Single(folders.Distinct());
        Assert.Single(Directory.GetFileSystemEntries(_folder));
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000  ../outside")]
    public void Should_refuse_a_list_that_is_none(string line)
    {
        var files = new Dictionary<string, Func<Stream>> { ["policy/config.json"] = () => Stream.Null, ["reward/config.json"] = () => Stream.Null };
        Assert.Throws<InvalidDataException>(() => new ModelBundle(line, files).Extract(_folder));
    }

    [Fact]
    public void Should_say_so_when_there_are_no_models()
    {
        var none = new ModelBundle(null, new Dictionary<string, Func<Stream>>());
        Assert.False(none.HasModels);
        Assert.Contains("no trained pocket models", Assert.Throws<BadInputException>(() => none.Extract(_folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Should_extract_the_real_models_where_the_build_has_them()
    {
        if (EmbeddedModels.Available)
        {
            var folders = EmbeddedModels.Extract(_folder);
            Assert.All(new[] { folders.Policy, folders.Reward }, f => Assert.True(File.Exists(Path.Combine(f, "config.json"))));
        }
        else
        {
            Assert.Throws<BadInputException>(() => EmbeddedModels.Extract(_folder));
        }
    }

    private static ModelBundle Bundle(string policy = "{p}")
    {
        string Sum(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        return new ModelBundle(
            $"{Sum("{p}")}  policy/config.json\n{Sum("{r}")}  reward/config.json\n",
            new Dictionary<string, Func<Stream>>
            {
                ["policy/config.json"] = () => new MemoryStream(Encoding.UTF8.GetBytes(policy)),
                ["reward/config.json"] = () => new MemoryStream("{r}"u8.ToArray()),
            });
    }
}
