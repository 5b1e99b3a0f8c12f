using System.Text;
using Farm.Core;
using Farm.Models.Checkpoints;
using Farm.Models.Configuration;

namespace Farm.Models.Tests.Checkpoints;

/// <summary>Damaged files end in <see cref="BadInputException"/> or in a checkpoint that reads; never in another exception or a large allocation.</summary>
public class FuzzTests
{
    private const long MostAllocated = 4 * 1024 * 1024;

    private static readonly byte[] TorchFile = PickleEmitter.Archive(
        new PickleEmitter().EmptyOrderedDict().Op('(')
            .Text("a").Tensor("HalfStorage", "0", 24, 0, [4, 3], [3, 1])
            .Text("b").Tensor("FloatStorage", "1", 12, 1, [3, 2], [1, 4]).Op('q').Raw(9)
            .Text("c").Op('h').Raw(9).Op('u').Op('}').Text("_metadata").EmptyOrderedDict().Op('s').Op('b').Stop(),
        new Dictionary<string, byte[]> { ["0"] = new byte[48], ["1"] = PickleEmitter.Counting(12) });

    public static TheoryData<string, int> Files => new()
    {
        { "model.safetensors", 1500 },
        { "pytorch_model.bin", 3000 },
        { "model.safetensors.index.json", 600 },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void Damaged_files_are_refused_cleanly(string name, int cases)
    {
        using var folder = new TempFolder();
        byte[] valid = name switch
        {
            "model.safetensors" => SafetensorsBytes.Valid,
            "pytorch_model.bin" => TorchFile,
            _ => Encoding.UTF8.GetBytes("""{"metadata":{"total_size":8},"weight_map":{"a":"1.safetensors","b":"1.safetensors"}}"""),
        };
        folder.Write("1.safetensors", SafetensorsBytes.Valid);
        folder.Write(name, valid);
        Assert.True(Attempt(() => ReadAll(folder.Path)), "the undamaged file must read");
        int refused = 0;
        for (int seed = 0; seed < cases; seed++)
        {
            folder.Write(name, Damage(valid, new Random(seed)));
            refused += Attempt(() => ReadAll(folder.Path)) ? 0 : 1;
        }

        Assert.InRange(refused, cases / 4, cases);
    }

    [Fact]
    public void Random_opcodes_are_refused_cleanly()
    {
        // Opcodes the machine knows, in any order, so that the cases get past the first byte.
        byte[] opcodes = [.. "(012)tl]ae}dsuqhNKMJXcRbQ."u8, 0x80, 0x88, 0x89, 0x85, 0x86, 0x87, 0x8a, 0x8c, 0x93, 0x94, 0, 1, 2, 255, (byte)'\n'];
        using var folder = new TempFolder();
        for (int seed = 0; seed < 1000; seed++)
        {
            var random = new Random(seed);
            byte[] code = [0x80, 2, .. random.GetItems(opcodes, random.Next(1, 200)), (byte)'.'];
            folder.Write("pytorch_model.bin", PickleEmitter.Archive(code, new Dictionary<string, byte[]>()));
            Assert.False(Attempt(() => ReadAll(folder.Path)));
        }
    }

    [Fact]
    public void Damaged_configurations_are_refused_cleanly()
    {
        using var folder = new TempFolder();
        ModelShapes.Get("llama-3.1-8b").Save(folder.Path);
        byte[] valid = File.ReadAllBytes(folder.File("config.json"));
        for (int seed = 0; seed < 1200; seed++)
        {
            folder.Write("config.json", Damage(valid, new Random(seed)));
            Attempt(() => ModelConfig.Load(folder.Path));
            Attempt(() => RewardModelConfig.TryLoad(folder.Path));
        }
    }

    private static void ReadAll(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        foreach (var tensor in checkpoint.Tensors.Values)
        {
            // A small file may still describe a huge tensor (a stride of 0 repeats one element); a reader takes a few rows at a time.
            int rows = (int)Math.Min(tensor.Rows, 100_000 / Math.Max(1L, tensor.Columns));
            if (tensor.StoredType is "F32" or "F16" or "BF16")
            {
                _ = tensor.DType;
                tensor.Read(tensor.Rows - rows, rows, new byte[rows * tensor.Columns * 4]);
            }
        }
    }

    // True if it went well, false if the input was refused. Any other exception passes through and fails the test.
    private static bool Attempt(Action action)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            action();
            return true;
        }
        catch (BadInputException e)
        {
            Assert.NotEmpty(e.Message);
            return false;
        }
        finally
        {
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated);
        }
    }

    private static byte[] Damage(byte[] valid, Random random)
    {
        byte[] bytes = [.. valid];
        switch (random.Next(4))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 2:
                for (int i = random.Next(1, 6); i > 0; i--)
                {
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                }

                return bytes;
            default:
                // A run of bytes moved elsewhere: keeps opcodes and JSON tokens whole more often than single flips do.
                int length = random.Next(1, 24), from = random.Next(bytes.Length - length), to = random.Next(bytes.Length - length);
                valid.AsSpan(from, length).CopyTo(bytes.AsSpan(to));
                return bytes;
        }
    }
}
