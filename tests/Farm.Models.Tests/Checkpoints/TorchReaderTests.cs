using System.IO.Compression;
using Farm.Core;
using Farm.Models.Checkpoints;

namespace Farm.Models.Tests.Checkpoints;

public class TorchReaderTests
{
    private static readonly Dictionary<string, byte[]> Storages = new() { ["0"] = PickleEmitter.Counting(12) };

    private static PickleEmitter Dict() => new PickleEmitter().Op('}').Op('(');

    private static byte[] OneTensor(long offset, long[] shape, long[] strides, long elements = 12, string type = "FloatStorage") =>
        Dict().Text("w").Tensor(type, "0", elements, offset, shape, strides).Op('u').Stop();

    private static ICheckpoint Open(TempFolder folder, byte[] pickle, string? byteOrder = "little")
    {
        folder.Write("pytorch_model.bin", PickleEmitter.Archive(pickle, Storages, byteOrder));
        return Checkpoint.Open(folder.Path);
    }

    private static string Refused(byte[] pickle, string? byteOrder = "little")
    {
        using var folder = new TempFolder();
        var e = Assert.Throws<BadInputException>(() => Open(folder, pickle, byteOrder));
        Assert.StartsWith(folder.File("pytorch_model.bin"), e.Message, StringComparison.Ordinal);
        return e.Message;
    }

    [Theory]
    [InlineData(0, new long[] { 3, 4 }, new long[] { 4, 1 }, new float[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 })]
    [InlineData(4, new long[] { 2, 3 }, new long[] { 3, 1 }, new float[] { 4, 5, 6, 7, 8, 9 })]
    [InlineData(0, new long[] { 4, 3 }, new long[] { 1, 4 }, new float[] { 0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11 })]
    [InlineData(1, new long[] { 3, 2 }, new long[] { 4, 2 }, new float[] { 1, 3, 5, 7, 9, 11 })]
    [InlineData(2, new long[] { 3 }, new long[] { 3 }, new float[] { 2, 5, 8 })]
    [InlineData(0, new long[] { 2, 2, 3 }, new long[] { 1, 6, 2 }, new float[] { 0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11 })]
    [InlineData(3, new long[] { 2, 3 }, new long[] { 0, 0 }, new float[] { 3, 3, 3, 3, 3, 3 })]
    [InlineData(7, new long[] { }, new long[] { }, new float[] { 7 })]
    [InlineData(11, new long[] { 1, 1 }, new long[] { 4611686018427387904, 4611686018427387904 }, new float[] { 11 })]
    [InlineData(99, new long[] { 0, 3 }, new long[] { 3, 1 }, new float[] { })]
    public void Reads_views_of_any_offset_and_strides(long offset, long[] shape, long[] strides, float[] expected)
    {
        using var folder = new TempFolder();
        using var checkpoint = Open(folder, OneTensor(offset, shape, strides));
        var w = checkpoint.Tensors["w"];
        Assert.Equal(shape, w.Shape);
        Assert.Equal(expected, w.ReadFloats());
        for (int row = 0; row < w.Rows; row++)
        {
            float[] one = new float[w.Columns];
            w.ReadFloats(row, 1, one);
            Assert.Equal(expected[(row * w.Columns)..((row + 1) * w.Columns)], one);
        }
    }

    [Fact]
    public void A_transpose_larger_than_the_window_reads_as_its_elements()
    {
        const int rows = 700, columns = 130;
        byte[] pickle = Dict().Text("w").Tensor("FloatStorage", "0", rows * columns, 0, [rows, columns], [1, rows])
            .Text("every_second_row").Tensor("FloatStorage", "0", rows * columns, 5, [65, 690], [2 * rows, 1]).Op('u').Stop();
        using var folder = new TempFolder();
        folder.Write("pytorch_model.bin", PickleEmitter.Archive(pickle, new Dictionary<string, byte[]> { ["0"] = PickleEmitter.Counting(rows * columns) }));
        using var checkpoint = Checkpoint.Open(folder.Path);
        float[] w = checkpoint.Tensors["w"].ReadFloats(), second = checkpoint.Tensors["every_second_row"].ReadFloats();
        Assert.All(Enumerable.Range(0, w.Length), i => Assert.Equal((i / columns) + (i % columns * rows), w[i]));
        Assert.All(Enumerable.Range(0, second.Length), i => Assert.Equal(5 + (i / 690 * 2 * rows) + (i % 690), second[i]));
        float[] some = new float[3 * columns];
        checkpoint.Tensors["w"].ReadFloats(411, 3, some);
        Assert.Equal(w[(411 * columns)..(414 * columns)], some);
    }

    [Fact]
    public void Names_may_share_a_storage_and_a_state_dict_may_carry_metadata()
    {
        // An OrderedDict with _metadata set by BUILD, memo and all, as module.state_dict() pickles it.
        byte[] pickle = new PickleEmitter().EmptyOrderedDict().Op('(')
            .Text("a").Tensor("FloatStorage", "0", 12, 0, [12], [1]).Op('q').Raw(7)
            .Text("b").Op('h').Raw(7).Op('u')
            .Op('}').Text("_metadata").EmptyOrderedDict().Op('(').Text("").Op('}').Text("version").Int(1).Op('s').Op('u').Op('s').Op('b').Stop();
        using var folder = new TempFolder();
        using var checkpoint = Open(folder, pickle, null);
        Assert.Equal(["a", "b"], checkpoint.Tensors.Keys.Order());
        Assert.Equal(checkpoint.Tensors["a"].ReadFloats(), checkpoint.Tensors["b"].ReadFloats());
    }

    [Fact]
    public void Reads_protocol_5_with_frames_memoize_and_stack_globals()
    {
        var p = new PickleEmitter(5).Raw(0x95, 1, 0, 0, 0, 0, 0, 0, 0).Op('}').Raw(0x94).Raw(0x8c, 1, (byte)'w').Raw(0x94);
        p.Raw(0x8c, 12).Raw("torch._utils"u8.ToArray()).Raw(0x8c, 18).Raw("_rebuild_parameter"u8.ToArray()).Raw(0x93);
        p.Tensor("FloatStorage", "0", 12, 0, [12], [1]).Raw(0x88).EmptyOrderedDict().Raw(0x87).Op('R').Op('s');
        p.Text("step").Raw(0x8a, 2, 0xff, 0xff).Op('s').Text("rate").Op('G').Raw(0x3f, 0xf0, 0, 0, 0, 0, 0, 0).Op('s');
        p.Text("list").Op(']').Op('(').Int(1).Op('N').Op('e').Int(70000).Op('a').Op('s');
        using var folder = new TempFolder();
        using var checkpoint = Open(folder, p.Stop());
        Assert.Equal(12, Assert.Single(checkpoint.Tensors).Value.Columns);
    }

    [Theory]
    [InlineData("FloatStorage", "F32")]
    [InlineData("HalfStorage", "F16")]
    [InlineData("BFloat16Storage", "BF16")]
    [InlineData("DoubleStorage", "F64")]
    [InlineData("LongStorage", "I64")]
    [InlineData("IntStorage", "I32")]
    [InlineData("BoolStorage", "BOOL")]
    public void Storage_classes_name_their_types(string storage, string type)
    {
        using var folder = new TempFolder();
        using var checkpoint = Open(folder, OneTensor(0, [6], [1], 6, storage));
        var w = checkpoint.Tensors["w"];
        Assert.Equal(type, w.StoredType);
        if (type is "F64" or "I64" or "I32" or "BOOL")
        {
            Assert.Contains(type, Assert.Throws<BadInputException>(() => w.DType).Message, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal(type, w.DType.Name(), ignoreCase: true);
        }
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("builtins", "eval")]
    [InlineData("torch", "load")]
    [InlineData("torch._utils", "_rebuild_device_tensor_from_numpy")]
    [InlineData("collections", "defaultdict")]
    [InlineData("torch.FloatStorage", "x")]
    [InlineData("", "")]
    public void A_callable_outside_the_tensor_set_is_refused_by_name_and_place(string module, string name)
    {
        var emitter = Dict().Text("w");
        int at = emitter.Position;
        string message = Refused(emitter.Global(module, name).Op('(').Text("id").Op('t').Op('R').Op('u').Stop());
        Assert.Contains($"'{module}.{name}'", message, StringComparison.Ordinal);
        Assert.Contains($"at byte {at} ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_callable_named_from_the_stack_is_refused_too()
    {
        byte[] pickle = new PickleEmitter(4).Text("posix").Text("system").Raw(0x93).Text("id").Raw(0x85).Op('R').Stop();
        Assert.Contains("'posix.system'", Refused(pickle), StringComparison.Ordinal);
    }

    [Fact]
    public void Control_characters_of_a_hostile_name_do_not_reach_the_message() =>
        Assert.DoesNotContain('\u001b', Refused(new PickleEmitter().Global("a\u001b[31m", new string('x', 5000)).Stop()));

    [Theory]
    [InlineData('i')] // INST
    [InlineData('o')] // OBJ
    [InlineData('P')] // PERSID
    [InlineData('S')] // STRING
    [InlineData('\u0081')] // NEWOBJ
    [InlineData('\u0092')] // NEWOBJ_EX
    [InlineData('\u0082')] // EXT1
    [InlineData('\u0097')] // NEXT_BUFFER
    public void Opcodes_that_no_checkpoint_needs_are_refused(char opcode) =>
        Assert.Contains($"opcode 0x{(int)opcode:x2}", Refused(new PickleEmitter().Op(opcode).Stop()), StringComparison.Ordinal);

    [Theory]
    [InlineData(1, new long[] { 12 }, new long[] { 1 }, 12)]
    [InlineData(0, new long[] { 4, 4 }, new long[] { 4, 1 }, 12)]
    [InlineData(0, new long[] { 2, 4611686018427387904 }, new long[] { 4611686018427387904, 2 }, 12)]
    [InlineData(long.MaxValue, new long[] { 2 }, new long[] { long.MaxValue }, 12)]
    [InlineData(0, new long[] { 2, 2 }, new long[] { 1 }, 12)]
    [InlineData(0, new long[] { 2 }, new long[] { -1 }, 12)]
    [InlineData(-1, new long[] { 2 }, new long[] { 1 }, 12)]
    [InlineData(0, new long[] { -2 }, new long[] { 1 }, 12)]
    [InlineData(0, new long[] { 13 }, new long[] { 1 }, 13)]
    [InlineData(0, new long[] { 1 }, new long[] { 1 }, long.MaxValue)]
    public void A_view_that_leaves_its_storage_is_refused(long offset, long[] shape, long[] strides, long elements) =>
        Refused(OneTensor(offset, shape, strides, elements));

    [Fact]
    public void A_missing_storage_is_named() =>
        Assert.Contains("no storage 'data/../0' for tensor 'w'",
            Refused(Dict().Text("w").Tensor("FloatStorage", "../0", 1, 0, [1], [1]).Op('u').Stop()), StringComparison.Ordinal);

    [Fact]
    public void Big_endian_files_are_refused() => Assert.Contains("big-endian", Refused(OneTensor(0, [1], [1]), "big"), StringComparison.Ordinal);

    [Fact]
    public void A_pickle_without_tensors_is_refused()
    {
        Assert.Contains("without tensors", Refused(new PickleEmitter().Op('}').Stop()), StringComparison.Ordinal);
        Assert.Contains("not a dict", Refused(new PickleEmitter().Int(3).Stop()), StringComparison.Ordinal);
    }

    [Fact]
    public void A_dict_that_holds_itself_is_no_trouble()
    {
        byte[] pickle = new PickleEmitter().Op('}').Op('q').Raw(0).Op('(').Text("self").Op('h').Raw(0)
            .Text("w").Tensor("FloatStorage", "0", 12, 0, [12], [1]).Op('u').Stop();
        using var folder = new TempFolder();
        using var checkpoint = Open(folder, pickle);
        Assert.Equal(["w"], checkpoint.Tensors.Keys);
    }

    [Fact]
    public void Pickles_that_grow_without_bound_are_stopped()
    {
        byte[] deep = new byte[5_000_000];
        deep.AsSpan().Fill((byte)']');
        Assert.Contains("more than 2000000 values", Refused(new PickleEmitter().Raw(deep).Stop()), StringComparison.Ordinal);
        Assert.Contains("too", Refused(new byte[33 * 1024 * 1024]).Replace("more than", "too", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[] { })]
    [InlineData(new byte[] { (byte)'R', (byte)'.' })]
    [InlineData(new byte[] { (byte)'(', (byte)'.' })]
    [InlineData(new byte[] { (byte)'X', 255, 255, 255, 255 })]
    [InlineData(new byte[] { 0x8d, 255, 255, 255, 255, 255, 255, 255, 255 })]
    [InlineData(new byte[] { 0x8a, 200 })]
    [InlineData(new byte[] { (byte)'t', (byte)'.' })]
    [InlineData(new byte[] { (byte)'h', 3, (byte)'.' })]
    [InlineData(new byte[] { (byte)'(', (byte)'q', 3, (byte)'.' })]
    [InlineData(new byte[] { (byte)'}', (byte)'(', (byte)'N', (byte)'u', (byte)'.' })]
    [InlineData(new byte[] { (byte)'N', (byte)'Q', (byte)'.' })]
    [InlineData(new byte[] { (byte)'c', (byte)'a' })]
    public void Damaged_pickles_are_refused(byte[] code) => Refused(new PickleEmitter().Raw(code).Raw().Stop()[..(2 + code.Length)]);

    [Fact]
    public void Other_formats_are_refused_with_advice()
    {
        using var folder = new TempFolder();
        // How the format before PyTorch 1.6 begins: a pickle of its magic number.
        folder.Write("pytorch_model.bin", [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, (byte)'.', .. new byte[64]]);
        Assert.Contains("PyTorch 1.6", Assert.Throws<BadInputException>(() => Checkpoint.Open(folder.Path)).Message, StringComparison.Ordinal);
        folder.Write("pytorch_model.bin", PickleEmitter.Archive(OneTensor(0, [1], [1]), Storages, compression: CompressionLevel.Optimal));
        Assert.Contains("compressed", Assert.Throws<BadInputException>(() => Checkpoint.Open(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_archive_cut_off_anywhere_is_refused()
    {
        byte[] valid = PickleEmitter.Archive(OneTensor(0, [3, 4], [4, 1]), Storages);
        using var folder = new TempFolder();
        for (int length = 0; length < valid.Length; length += 3)
        {
            folder.Write("pytorch_model.bin", valid[..length]);
            Assert.Throws<BadInputException>(() => Checkpoint.Open(folder.Path));
        }
    }
}
