using System.Buffers.Binary;

namespace Farm.Models.Checkpoints.Pickle;

/// <content>Opcodes that build containers, use the memo and name globals.</content>
internal sealed partial class PickleMachine
{
    private bool Structure(byte opcode)
    {
        switch (opcode)
        {
            case (byte)'(': Push(PickleMark.Instance); break;
            case (byte)'0': Pop(); break;
            case (byte)'1': PopToMark(); break;
            case (byte)'2': Push(Top()); break;
            case (byte)')': Push(Array.Empty<object?>()); break;
            case 0x85: Push(Pop(1)); break;
            case 0x86: Push(Pop(2)); break;
            case 0x87: Push(Pop(3)); break;
            case (byte)'t': Push(PopToMark()); break;
            case (byte)']': Push(new List<object?>()); break;
            case (byte)'l': Push(new List<object?>(PopToMark())); break;
            case (byte)'a': Append(Pop(1)); break;
            case (byte)'e': Append(PopToMark()); break;
            case (byte)'}': Push(new PickleDict()); break;
            case (byte)'d': Push(Filled(new PickleDict(), PopToMark())); break;
            case (byte)'s': SetItems(Pop(2)); break;
            case (byte)'u': SetItems(PopToMark()); break;
            case (byte)'q': Memoize(Take(1)[0]); break;
            case (byte)'r': Memoize(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
            case 0x94: Memoize((uint)_memo.Count); break;
            case (byte)'h': Recall(Take(1)[0]); break;
            case (byte)'j': Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
            case (byte)'c': Global(Line(), Line()); break;
            case 0x93: StackGlobal(Pop(2)); break;
            case (byte)'R': Reduce(); break;
            case (byte)'b': Build(); break;
            case (byte)'Q': Push(PickleTensors.Storage(Pop(), out string problem) ?? throw Bad($"holds {problem}")); break;
            default: return false;
        }

        return true;
    }

    private void Append(object?[] values)
    {
        if (Top() is not List<object?> list)
        {
            throw Bad("appends to something that is not a list");
        }

        list.AddRange(values);
    }

    private void SetItems(object?[] items)
    {
        if (Top() is not PickleDict dict)
        {
            throw Bad("sets items of something that is not a dict");
        }

        Filled(dict, items);
    }

    private PickleDict Filled(PickleDict dict, object?[] items)
    {
        if (items.Length % 2 != 0)
        {
            throw Bad("sets a key without a value");
        }

        for (int i = 0; i < items.Length; i += 2)
        {
            dict.Set(items[i], items[i + 1]);
        }

        return dict;
    }

    private void Memoize(uint index)
    {
        // A pickle may store one value under many numbers without building any, so the memo has the values' bound of its own.
        if (_memo.Count >= MostValues)
        {
            throw Bad($"remembers more than {MostValues} values");
        }

        _memo[index] = Top() is PickleMark ? throw Bad("remembers a mark") : Top();
    }

    private void Recall(uint index) =>
        Push(_memo.TryGetValue(index, out object? value) ? value : throw Bad($"recalls value {index}, which it never stored"));

    private void StackGlobal(object?[] names)
    {
        if (names is not [string module, string name])
        {
            throw Bad("names a global by something that is not text");
        }

        Global(module, name);
    }

    private void Global(string module, string name) =>
        Push(PickleGlobals.Find(module, name)
            ?? throw Bad($"names '{Printable(module)}.{Printable(name)}', which is refused: only tensors are built, nothing is called"));

    // The name comes from the file; control characters must not reach the terminal, nor a megabyte of it.
    private static string Printable(string text) =>
        string.Concat(text.Take(80).Select(c => char.IsControl(c) ? '?' : c));

    private void Reduce()
    {
        object?[] pair = Pop(2);
        if (pair is not [PickleGlobal callable, object?[] arguments])
        {
            throw Bad("calls something that is not callable");
        }

        string problem = $"a call of {callable.Name} with arguments it does not take";
        object? result = callable.Kind switch
        {
            PickleGlobalKind.OrderedDict => OrderedDict(arguments),
            PickleGlobalKind.RebuildTensor => PickleTensors.Tensor(arguments, out problem),
            PickleGlobalKind.RebuildParameter when arguments is [PickleTensor data, _, _] => data,
            _ => null,
        };
        Push(result ?? throw Bad($"holds {problem}"));
    }

    // OrderedDict() or OrderedDict([[key, value], ...]).
    private static PickleDict? OrderedDict(object?[] arguments)
    {
        var dict = new PickleDict();
        if (arguments.Length == 0)
        {
            return dict;
        }

        if (arguments is not [List<object?> pairs])
        {
            return null;
        }

        foreach (object? pair in pairs)
        {
            switch (pair)
            {
                case object?[] { Length: 2 } tuple: dict.Set(tuple[0], tuple[1]); break;
                case List<object?> { Count: 2 } list: dict.Set(list[0], list[1]); break;
                default: return null;
            }
        }

        return dict;
    }

    // module.state_dict() is an OrderedDict with an attribute _metadata; the attributes of a dict say nothing about its tensors.
    private void Build()
    {
        object? state = Pop();
        if (Top() is not PickleDict || state is not PickleDict)
        {
            throw Bad("sets the state of something that is not a dict");
        }
    }
}
