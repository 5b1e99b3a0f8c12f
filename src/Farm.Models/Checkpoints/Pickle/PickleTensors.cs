namespace Farm.Models.Checkpoints.Pickle;

/// <summary>Checks the arguments with which a pickle builds storages and tensors. The methods return null with the reason.</summary>
internal static class PickleTensors
{
    private const int MostDimensions = 64;

    /// <summary>A persistent id: ('storage', storage class, key, location, number of elements[, view metadata]).</summary>
    public static PickleStorage? Storage(object? id, out string problem)
    {
        problem = "a persistent id that is not a storage";
        return id is object?[] { Length: 5 or 6 } parts && parts[0] is "storage"
            && parts[1] is PickleGlobal { Kind: PickleGlobalKind.Storage } type && parts[2] is string key && parts[4] is long elements and >= 0
            ? new PickleStorage(type.Type, key, elements)
            : null;
    }

    /// <summary>Arguments of _rebuild_tensor_v2: (storage, offset, size, stride, requires_grad, hooks[, metadata]).</summary>
    public static PickleTensor? Tensor(object?[] arguments, out string problem)
    {
        problem = "a tensor whose arguments are not those of _rebuild_tensor_v2";
        if (arguments.Length is not (6 or 7) || arguments[0] is not PickleStorage storage || arguments[1] is not (long offset and >= 0)
            || Sizes(arguments[2]) is not { } shape || Sizes(arguments[3]) is not { } strides || shape.Length != strides.Length)
        {
            return null;
        }

        // 64 terms of at most 2^126 stay within 128 bits only if each is cut off early; anything over 2^63 is out of bounds anyway.
        Int128 last = offset;
        for (int i = 0; i < shape.Length && last <= long.MaxValue; i++)
        {
            last += (Int128)Math.Max(shape[i] - 1, 0) * strides[i];
        }

        if (!shape.Contains(0) && last >= storage.Elements)
        {
            problem = $"a tensor of shape {FileTensor.Describe(shape)}, strides {FileTensor.Describe(strides)} and offset {offset} "
                + $"that leaves its storage of {storage.Elements} elements";
            return null;
        }

        return new PickleTensor(storage, offset, shape, strides);
    }

    private static long[]? Sizes(object? tuple)
    {
        if (tuple is not object?[] { Length: <= MostDimensions } values)
        {
            return null;
        }

        long[] sizes = new long[values.Length];
        for (int i = 0; i < sizes.Length; i++)
        {
            if (values[i] is not (long size and >= 0))
            {
                return null;
            }

            sizes[i] = size;
        }

        return sizes;
    }
}
