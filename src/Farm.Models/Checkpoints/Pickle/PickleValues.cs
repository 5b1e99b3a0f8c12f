namespace Farm.Models.Checkpoints.Pickle;

/// <summary>What marks the start of a run of values on the stack.</summary>
internal sealed class PickleMark
{
    public static readonly PickleMark Instance = new();
}

/// <summary>A dict or OrderedDict: the entries with string keys. Other keys (optimiser states have them) name no tensor and are dropped.</summary>
internal sealed class PickleDict
{
    private Dictionary<string, object?>? _entries;

    /// <summary>The entries in the order they were first set.</summary>
    public IEnumerable<KeyValuePair<string, object?>> Entries => _entries ?? [];

    /// <summary>Sets an entry; the last value of a key wins, as in Python.</summary>
    public void Set(object? key, object? value)
    {
        if (key is string name)
        {
            (_entries ??= [])[name] = value;
        }
    }
}

/// <summary>A callable or class that the machine knows.</summary>
internal enum PickleGlobalKind
{
    /// <summary>collections.OrderedDict.</summary>
    OrderedDict,

    /// <summary>torch._utils._rebuild_tensor_v2.</summary>
    RebuildTensor,

    /// <summary>torch._utils._rebuild_parameter.</summary>
    RebuildParameter,

    /// <summary>A storage class, e.g. torch.HalfStorage: names an element type, cannot be called.</summary>
    Storage,

    /// <summary>A dtype constant, e.g. torch.bfloat16: a plain value.</summary>
    DType,
}

/// <summary>A global that a pickle named.</summary>
internal sealed record PickleGlobal(PickleGlobalKind Kind, string Name, StoredType Type = default);

/// <summary>A storage that a pickle refers to by key; its bytes lie beside the pickle.</summary>
internal sealed record PickleStorage(StoredType Type, string Key, long Elements);

/// <summary>A tensor: a strided view of a storage, offset and strides in elements.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Shape, long[] Strides);
