using System.Collections.Frozen;
using Farm.Core;

namespace Farm.Models.Checkpoints;

/// <summary>An element type of a checkpoint file.</summary>
/// <param name="Name">Name in safetensors spelling.</param>
/// <param name="Size">Bytes of an element.</param>
/// <param name="Weights">The type as weights, null if no model can use it.</param>
internal readonly record struct StoredType(string Name, int Size, DType? Weights)
{
    /// <summary>The types a safetensors header may name (those of whole bytes).</summary>
    public static readonly FrozenDictionary<string, StoredType> Safetensors = new StoredType[]
    {
        new("F32", 4, DType.F32), new("F16", 2, DType.F16), new("BF16", 2, DType.BF16),
        new("F64", 8, null), new("I64", 8, null), new("U64", 8, null), new("C64", 8, null),
        new("I32", 4, null), new("U32", 4, null), new("I16", 2, null), new("U16", 2, null),
        new("I8", 1, null), new("U8", 1, null), new("BOOL", 1, null),
        new("F8_E4M3", 1, null), new("F8_E5M2", 1, null), new("F8_E8M0", 1, null),
    }.ToFrozenDictionary(t => t.Name);

    /// <summary>The storage classes of module <c>torch</c> that a pickle may name.</summary>
    public static readonly FrozenDictionary<string, StoredType> Torch = new Dictionary<string, StoredType>
    {
        ["FloatStorage"] = Safetensors["F32"],
        ["HalfStorage"] = Safetensors["F16"],
        ["BFloat16Storage"] = Safetensors["BF16"],
        ["DoubleStorage"] = Safetensors["F64"],
        ["LongStorage"] = Safetensors["I64"],
        ["IntStorage"] = Safetensors["I32"],
        ["ShortStorage"] = Safetensors["I16"],
        ["CharStorage"] = Safetensors["I8"],
        ["ByteStorage"] = Safetensors["U8"],
        ["BoolStorage"] = Safetensors["BOOL"],
    }.ToFrozenDictionary();
}
