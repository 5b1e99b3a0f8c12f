namespace Farm.Training.Model;

/// <summary>A named tensor of a checkpoint inside a slot.</summary>
/// <param name="Name">Name in the checkpoint.</param>
/// <param name="First">First row of the slot (column, where the slot is a vector) that it takes.</param>
/// <param name="Count">Rows (columns) it takes.</param>
/// <param name="Shape">Shape in the checkpoint.</param>
public sealed record SlotPart(string Name, int First, int Count, IReadOnlyList<long> Shape);

/// <summary>
/// A parameter as the products use it, e.g. queries, keys and values in one matrix, made of one or more tensors of the checkpoint.
/// </summary>
/// <param name="Rows">Rows; 1 for a vector.</param>
/// <param name="Columns">Columns.</param>
/// <param name="IsMatrix">True for a parameter of two dimensions: those decay, and have BF16 copies where asked.</param>
/// <param name="Parts">The checkpoint's tensors, in order and without gaps.</param>
public sealed record Slot(int Rows, int Columns, bool IsMatrix, IReadOnlyList<SlotPart> Parts)
{
    /// <summary>Number of elements.</summary>
    public long Count => (long)Rows * Columns;

    /// <summary>A matrix of parts laid one under the other, each (name, rows).</summary>
    public static Slot Matrix(int columns, params (string Name, int Rows)[] parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return Build(parts, (first, part) => new SlotPart(part.Name, first, part.Rows, [part.Rows, columns]), (total, list) => new Slot(total, columns, true, list));
    }

    /// <summary>A vector of parts laid one after the other, each (name, width).</summary>
    public static Slot Vector(params (string Name, int Width)[] parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return Build(parts, (first, part) => new SlotPart(part.Name, first, part.Rows, [part.Rows]), (total, list) => new Slot(1, total, false, list));
    }

    private static Slot Build((string Name, int Rows)[] parts, Func<int, (string Name, int Rows), SlotPart> make, Func<int, List<SlotPart>, Slot> finish)
    {
        var list = new List<SlotPart>(parts.Length);
        int total = 0;
        foreach (var part in parts)
        {
            list.Add(make(total, part));
            total += part.Rows;
        }

        return finish(total, list);
    }
}
