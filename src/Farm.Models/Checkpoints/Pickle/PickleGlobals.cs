using System.Collections.Frozen;

namespace Farm.Models.Checkpoints.Pickle;

/// <summary>The only globals that a pickle may name. Everything else is refused, for a pickle's globals are calls.</summary>
internal static class PickleGlobals
{
    private static readonly FrozenSet<string> TorchTypes = new[]
    {
        "float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool",
    }.ToFrozenSet();

    /// <summary>The global of that module and name, null if it is not on the list.</summary>
    public static PickleGlobal? Find(string module, string name) => (module, name) switch
    {
        ("collections", "OrderedDict") => new PickleGlobal(PickleGlobalKind.OrderedDict, name),
        ("torch._utils", "_rebuild_tensor_v2") => new PickleGlobal(PickleGlobalKind.RebuildTensor, name),
        ("torch._utils", "_rebuild_parameter") => new PickleGlobal(PickleGlobalKind.RebuildParameter, name),
        ("torch", _) when StoredType.Torch.TryGetValue(name, out var type) => new PickleGlobal(PickleGlobalKind.Storage, name, type),
        ("torch", _) when TorchTypes.Contains(name) => new PickleGlobal(PickleGlobalKind.DType, name),
        _ => null,
    };
}
