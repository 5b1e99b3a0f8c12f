using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Models.Tests.Checkpoints;

public class CheckpointFolderTests
{
    private static byte[] File(string tensor, float value)
    {
        byte[] data = BitConverter.GetBytes(value);
        return SafetensorsBytes.Build($$$"""{"{{{tensor}}}":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", data);
    }

    private static byte[] Torch(string tensor) => PickleEmitter.Archive(
        new PickleEmitter().Op('}').Text(tensor).Tensor("FloatStorage", "0", 1, 0, [1], [1]).Op('s').Stop(),
        new Dictionary<string, byte[]> { ["0"] = PickleEmitter.Counting(1) });

    private static string Index(params (string Tensor, string Shard)[] map) =>
        $$$"""{"metadata":{"total_size":8},"weight_map":{{{{string.Join(",", map.Select(m => $"\"{m.Tensor}\":\"{m.Shard}\""))}}}}}""";

    private static string Refused(TempFolder folder) => Assert.Throws<BadInputException>(() => Checkpoint.Open(folder.Path)).Message;

    [Fact]
    public void Formats_are_preferred_in_order()
    {
        using var folder = new TempFolder();
        Expect("torch", () => folder.Write("pytorch_model.bin", Torch("torch")));
        Expect("shard", () =>
        {
            folder.Write("pytorch_model-00001-of-00001.bin", Torch("shard"));
            folder.Write("pytorch_model.bin.index.json", Index(("shard", "pytorch_model-00001-of-00001.bin")));
        });
        Expect("single", () => folder.Write("model.safetensors", File("single", 1)));
        Expect("sharded", () =>
        {
            folder.Write("model-00001-of-00001.safetensors", File("sharded", 1));
            folder.Write("model.safetensors.index.json", Index(("sharded", "model-00001-of-00001.safetensors")));
        });

        void Expect(string tensor, Action add)
        {
            add();
            using var checkpoint = Checkpoint.Open(folder.Path);
            Assert.Equal([tensor], checkpoint.Tensors.Keys);
        }
    }

    [Fact]
    public void Shards_are_joined_and_each_tensor_knows_its_file()
    {
        using var folder = new TempFolder();
        folder.Write("1.safetensors", File("a", 3));
        folder.Write("2.safetensors", File("b", 4));
        folder.Write("model.safetensors.index.json", Index(("a", "1.safetensors"), ("b", "2.safetensors")));
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal(folder.File("2.safetensors"), checkpoint.Tensors["b"].File);
        Assert.Equal([3f], checkpoint.Tensors["a"].ReadFloats());
        Assert.Equal([4f], checkpoint.Tensors["b"].ReadFloats());
    }

    [Fact]
    public void A_missing_shard_and_a_tensor_that_is_not_in_its_shard_are_named()
    {
        using var folder = new TempFolder();
        folder.Write("1.safetensors", File("a", 3));
        folder.Write("model.safetensors.index.json", Index(("a", "1.safetensors"), ("b", "2.safetensors")));
        string message = Refused(folder);
        Assert.Contains("shard 2.safetensors is missing", message, StringComparison.Ordinal);
        Assert.Contains("'b'", message, StringComparison.Ordinal);
        folder.Write("2.safetensors", File("c", 3));
        Assert.Contains("lacks tensor 'b'", Refused(folder), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../1.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("sub/1.safetensors")]
    [InlineData("..")]
    [InlineData("")]
    public void A_shard_outside_the_folder_is_refused(string shard)
    {
        using var folder = new TempFolder();
        folder.Write("model.safetensors.index.json", Index(("a", shard)));
        Assert.Contains("weight_map of 'a' is not the name of a file", Refused(folder), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\n  \"weight_map\": oops}", "line 2, column 17")]
    [InlineData("[]", "no JSON object")]
    [InlineData("{}", "'weight_map' is missing")]
    [InlineData("{\"weight_map\":{}}", "weight_map is empty")]
    [InlineData("{\"weight_map\":{\"a\":1}}", "weight_map of 'a'")]
    [InlineData("{\"weight_map\":{\"a\":\"1.safetensors\",\"a\":\"1.safetensors\"}}", "'a' twice")]
    [InlineData("{\"weight_map\":{\"\\ud800\":\"x\"}}", "surrogate")]
    public void A_bad_index_is_one_clear_sentence(string text, string expected)
    {
        using var folder = new TempFolder();
        string path = folder.Write("model.safetensors.index.json", text);
        string message = Refused(folder);
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Folders_without_one_clear_choice_are_refused()
    {
        using var folder = new TempFolder();
        Assert.Contains("holds neither", Refused(folder), StringComparison.Ordinal);
        folder.Write("x.safetensors", File("a", 3));
        using (var checkpoint = Checkpoint.Open(folder.Path))
        {
            Assert.Single(checkpoint.Tensors);
        }

        folder.Write("y.safetensors", File("a", 3));
        Assert.Contains("2 safetensors files", Refused(folder), StringComparison.Ordinal);
        Assert.Contains("no such folder", Assert.Throws<BadInputException>(() => Checkpoint.Open(folder.File("absent"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Reading_from_many_threads_gives_every_thread_its_rows()
    {
        using var folder = new TempFolder();
        float[] values = [.. Enumerable.Range(0, 1000 * 16).Select(i => (float)i)];
        CheckpointWriter.Save(folder.Path, [MemoryTensor.FromFloats("w", [1000, 16], values)]);
        using var checkpoint = Checkpoint.Open(folder.Path);
        var w = checkpoint.Tensors["w"];
        Parallel.For(0, 1000, row =>
        {
            float[] read = new float[16];
            w.ReadFloats(row, 1, read);
            Assert.Equal(values[(row * 16)..((row + 1) * 16)], read);
        });
    }
}
