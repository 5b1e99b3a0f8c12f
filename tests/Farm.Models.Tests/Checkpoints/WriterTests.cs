using System.Buffers.Binary;
using System.Text;
using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Models.Tests.Checkpoints;

public class WriterTests
{
    private static MemoryTensor Numbers(string name, params long[] shape)
    {
        int count = (int)shape.Aggregate(1L, (a, b) => a * b);
        return MemoryTensor.FromFloats(name, shape, [.. Enumerable.Range(0, count).Select(i => (float)(i - 3) / 7)]);
    }

    private static void AssertSame(IEnumerable<ICheckpointTensor> expected, string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        Assert.Equal(expected.Select(t => t.Name).Order(), checkpoint.Tensors.Keys.Order());
        foreach (var tensor in expected)
        {
            var read = checkpoint.Tensors[tensor.Name];
            Assert.Equal(tensor.Shape, read.Shape);
            Assert.Equal(tensor.DType, read.DType);
            Assert.Equal(tensor.ReadFloats(), read.ReadFloats());
        }
    }

    [Fact]
    public void What_is_written_reads_back_and_wide_types_come_first()
    {
        using var folder = new TempFolder();
        ICheckpointTensor[] tensors =
        [
            new MemoryTensor("odd", DType.BF16, [3], new byte[6]), Numbers("matrix", 5, 7), Numbers("cube", 2, 3, 4), Numbers("vector", 11),
            Numbers("scalar"), Numbers("empty", 0, 4), new MemoryTensor("half", DType.F16, [2, 1], new byte[4]),
        ];
        CheckpointWriter.Save(folder.Path, tensors);
        AssertSame(tensors, folder.Path);
        byte[] file = File.ReadAllBytes(folder.File("model.safetensors"));
        ulong header = BinaryPrimitives.ReadUInt64LittleEndian(file);
        Assert.Equal(0ul, (header + 8) % 64);
        string text = Encoding.UTF8.GetString(file, 8, (int)header);
        Assert.StartsWith("""{"__metadata__":{"format":"pt"},"matrix":""", text, StringComparison.Ordinal);
        Assert.True(text.IndexOf("scalar", StringComparison.Ordinal) < text.IndexOf("odd", StringComparison.Ordinal));
    }

    [Fact]
    public void A_tensor_larger_than_the_buffer_is_written_in_pieces()
    {
        using var folder = new TempFolder();
        ICheckpointTensor[] tensors = [Numbers("large", 1231, 2503)];
        long written = 0;
        CheckpointWriter.Save(folder.Path, tensors, written: n => written += n);
        Assert.Equal(1231 * 2503 * 4, written);
        AssertSame(tensors, folder.Path);
    }

    [Fact]
    public void Shards_respect_their_limit_and_a_later_save_replaces_them()
    {
        using var folder = new TempFolder();
        ICheckpointTensor[] tensors = [.. Enumerable.Range(0, 7).Select(i => Numbers($"t{i}", 2, i == 3 ? 40 : 5))];
        CheckpointWriter.Save(folder.Path, tensors, maxShardBytes: 100);
        AssertSame(tensors, folder.Path);
        string[] shards = [.. Directory.GetFiles(folder.Path, "*.safetensors").Order()];
        Assert.Equal(folder.File("model-00001-of-00005.safetensors"), shards[0]);
        Assert.Equal(5, shards.Length);
        Assert.Contains("\"total_size\": 560", File.ReadAllText(folder.File("model.safetensors.index.json")), StringComparison.Ordinal);

        CheckpointWriter.Save(folder.Path, tensors[..4], maxShardBytes: 100);
        AssertSame(tensors[..4], folder.Path);
        CheckpointWriter.Save(folder.Path, tensors[..2]);
        AssertSame(tensors[..2], folder.Path);
        Assert.Equal(["model.safetensors"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void A_failed_write_leaves_the_old_file_and_nothing_else()
    {
        using var folder = new TempFolder();
        CheckpointWriter.Save(folder.Path, [Numbers("a", 4)]);
        byte[] before = File.ReadAllBytes(folder.File("model.safetensors"));
        Assert.Throws<BadInputException>(() => CheckpointWriter.Save(folder.Path, [Numbers("a", 4), new Failing()]));
        Assert.Equal(before, File.ReadAllBytes(folder.File("model.safetensors")));
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void A_disk_too_small_is_found_before_the_work()
    {
        using var folder = new TempFolder();
        // 2^52 bytes: more than any disk has or file system takes.
        var e = Assert.Throws<BadInputException>(() => CheckpointWriter.Save(folder.Path, [new Failing(1 << 30, 1 << 20)], long.MaxValue));
        Assert.StartsWith(folder.File("model.safetensors"), e.Message, StringComparison.Ordinal);
        Assert.Contains("cannot be written", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void A_path_that_cannot_be_written_is_named()
    {
        using var folder = new TempFolder();
        string file = folder.Write("file", "x");
        var e = Assert.Throws<BadInputException>(() => CheckpointWriter.Save(Path.Combine(file, "model"), [Numbers("a", 4)]));
        Assert.Contains(Path.Combine(file, "model"), e.Message, StringComparison.Ordinal);
        Directory.CreateDirectory(folder.File("model.safetensors"));
        Assert.Throws<BadInputException>(() => CheckpointWriter.Save(folder.Path, [Numbers("a", 4)]));
    }

    [Fact]
    public void Two_tensors_of_one_name_are_refused()
    {
        using var folder = new TempFolder();
        Assert.Throws<ArgumentException>(() => CheckpointWriter.Save(folder.Path, [Numbers("a", 4), Numbers("a", 4)]));
    }

    /// <summary>A tensor of any size whose data cannot be read.</summary>
    private sealed class Failing(int rows = 2, int columns = 2) : ICheckpointTensor
    {
        public string File => "memory";

        public IReadOnlyList<long> Shape => [rows, columns];

        public string Name => "failing";

        public int Rows => rows;

        public int Columns => columns;

        public DType DType => DType.F32;

        public void Read(int firstRow, int count, Span<byte> destination) => throw new BadInputException("the source is gone.");
    }
}
