using System.Runtime.InteropServices;
using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Models.Tests.Checkpoints;

public class SafetensorsReaderTests
{
    [Fact]
    public void Reads_names_shapes_types_and_rows()
    {
        using var folder = new TempFolder();
        string path = folder.Write("model.safetensors", SafetensorsBytes.Valid);
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal(folder.Path, checkpoint.Folder);
        Assert.Equal(["a", "b"], checkpoint.Tensors.Keys.Order());
        var a = checkpoint.Tensors["a"];
        Assert.Equal((2, 3, DType.F32, path), (a.Rows, a.Columns, a.DType, a.File));
        Assert.Equal([2L, 3], a.Shape);
        float[] second = new float[3];
        a.Read(1, 1, MemoryMarshal.AsBytes(second.AsSpan()));
        Assert.Equal([3f, 4, 5], second);
        var b = checkpoint.Tensors["b"];
        Assert.Equal((1, 4, DType.BF16), (b.Rows, b.Columns, b.DType));
        Assert.Equal([1f, 2, 3, 4], b.ReadFloats());
    }

    [Theory]
    [InlineData("[]", 1, 1)]
    [InlineData("[4]", 1, 4)]
    [InlineData("[2,3,4]", 6, 4)]
    [InlineData("[0,4]", 0, 4)]
    [InlineData("[4,0]", 4, 0)]
    public void Folds_all_but_the_last_dimension_into_rows(string shape, int rows, int columns)
    {
        int bytes = rows * columns * 4;
        using var folder = new TempFolder();
        folder.Write("weights.safetensors", SafetensorsBytes.Build($$$"""{"t":{"dtype":"F32","shape":{{{shape}}},"data_offsets":[0,{{{bytes}}}]}}""", new byte[bytes]));
        using var checkpoint = Checkpoint.Open(folder.Path);
        var t = checkpoint.Tensors["t"];
        Assert.Equal((rows, columns), (t.Rows, t.Columns));
        t.Read(0, rows, new byte[bytes]);
        Assert.Equal(new float[rows * columns], t.ReadFloats());
    }

    [Fact]
    public void Types_that_cannot_be_weights_are_listed_and_refused_when_asked_for()
    {
        using var folder = new TempFolder();
        folder.Write("model.safetensors", SafetensorsBytes.Build("""{"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}""", new byte[8]));
        using var checkpoint = Checkpoint.Open(folder.Path);
        var ids = checkpoint.Tensors["ids"];
        Assert.Equal("I64", ids.StoredType);
        var e = Assert.Throws<BadInputException>(() => ids.DType);
        Assert.Contains("'ids' is stored as I64", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"F32","shape":[2],"data_offsets":[20,28]}}""", 28, "tensors 'a' and 'b' overlap")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""", 12, "bytes 4 to 8 of the data, before tensor 'b', belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "bytes 0 to 4")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 6, "the last 2 bytes belong to no tensor")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""", 12, "tensor 'a' ends at byte 16 of the data, but there are only 12")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "has 8 bytes of data, not the 12")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "ends (byte 0) before it begins (byte 8)")]
    [InlineData("""{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}""", 8, "unknown dtype 'F31'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "field 'shape' of tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}""", 8, "field 'shape' of tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4,2],"data_offsets":[0,0]}}""", 0, "has 0 bytes of data, not the")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807,9223372036854775807],"data_offsets":[0,0]}}""", 0, "has 0 bytes of data, not the")]
    [InlineData("""{"a":{"dtype":"F32","shape":[9223372036854775807,0],"data_offsets":[0,0]}}""", 0, "larger than")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}""", 8, "field 'data_offsets' of tensor 'a'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""", 8, "lacks two data_offsets")]
    [InlineData("""{"a":{"shape":[2],"data_offsets":[0,8]}}""", 8, "lacks dtype")]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "field 'dtype' of tensor 'a' is repeated")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "names 'a' twice")]
    [InlineData("""{"a":7}""", 0, "'a' is not described by an object")]
    [InlineData("""{"__metadata__":{"x":1}}""", 0, "__metadata__")]
    [InlineData("""[]""", 0, "not a JSON object")]
    [InlineData("""{"a" """, 0, "not valid JSON (line 1, column")]
    [InlineData("""{} {}""", 0, "not valid JSON")]
    [InlineData("""{"\ud800":7}""", 0, "not valid Unicode")]
    public void A_bad_header_is_one_clear_sentence(string header, int dataBytes, string expected)
    {
        using var folder = new TempFolder();
        string path = folder.Write("model.safetensors", SafetensorsBytes.Build(header, new byte[dataBytes]));
        var e = Assert.Throws<BadInputException>(() => Checkpoint.Open(folder.Path));
        Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.EndsWith(".", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1000ul, "the header claims 1000 bytes, more than the file has")]
    [InlineData(ulong.MaxValue, "more than the file has")]
    [InlineData(1ul << 40, "more than the file has")]
    public void A_header_longer_than_the_file_is_refused(ulong length, string expected)
    {
        using var folder = new TempFolder();
        folder.Write("model.safetensors", SafetensorsBytes.Build("{}", [], length));
        Assert.Contains(expected, Assert.Throws<BadInputException>(() => Checkpoint.Open(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_cut_off_anywhere_is_refused()
    {
        byte[] valid = SafetensorsBytes.Valid;
        using var folder = new TempFolder();
        for (int length = 0; length < valid.Length; length++)
        {
            folder.Write("model.safetensors", valid[..length]);
            Assert.Throws<BadInputException>(() => Checkpoint.Open(folder.Path));
        }
    }

    [Fact]
    public void A_file_that_shrinks_after_it_was_opened_is_reported_when_read()
    {
        using var folder = new TempFolder();
        string path = folder.Write("model.safetensors", SafetensorsBytes.Valid);
        using var checkpoint = Checkpoint.Open(folder.Path);
        using (var handle = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            handle.SetLength(SafetensorsBytes.Valid.Length - 20);
        }

        Assert.Contains("truncated", Assert.Throws<BadInputException>(() => checkpoint.Tensors["a"].ReadFloats()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ranges_outside_the_tensor_and_short_buffers_are_refused()
    {
        using var folder = new TempFolder();
        folder.Write("model.safetensors", SafetensorsBytes.Valid);
        using var checkpoint = Checkpoint.Open(folder.Path);
        var a = checkpoint.Tensors["a"];
        Assert.Throws<ArgumentOutOfRangeException>(() => a.Read(-1, 1, new byte[12]));
        Assert.Throws<ArgumentOutOfRangeException>(() => a.Read(1, 2, new byte[24]));
        Assert.Throws<ArgumentOutOfRangeException>(() => a.Read(0, 2, new byte[23]));
        Assert.Throws<ArgumentOutOfRangeException>(() => a.Read(int.MaxValue, int.MaxValue, new byte[24]));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void A_value_that_is_not_finite_is_reported_with_its_tensor_and_place(float value)
    {
        using var folder = new TempFolder();
        CheckpointWriter.Save(folder.Path, [MemoryTensor.FromFloats("norm", [2, 3], [1, 2, 3, 4, 5, value])]);
        using var checkpoint = Checkpoint.Open(folder.Path);
        var e = Assert.Throws<BadInputException>(() => checkpoint.Tensors["norm"].ReadFloats());
        Assert.Contains("tensor 'norm'", e.Message, StringComparison.Ordinal);
        Assert.Contains("row 1, column 2", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_value_of_f16_is_widened_exactly()
    {
        byte[] data = new byte[65536 * 2];
        float[] expected = new float[65536];
        for (int i = 0; i < 65536; i++)
        {
            var half = BitConverter.UInt16BitsToHalf((ushort)i);
            expected[i] = Half.IsFinite(half) ? (float)half : 0;
            BitConverter.TryWriteBytes(data.AsSpan(i * 2), Half.IsFinite(half) ? (ushort)i : (ushort)0);
        }

        Assert.Equal(expected, new MemoryTensor("h", DType.F16, [256, 256], data).ReadFloats());
    }
}
