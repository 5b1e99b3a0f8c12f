using Farm.Core;

namespace Farm.Reference;

/// <summary>
/// Shape and type checks of operands; each failure is an <see cref="ArgumentException"/> that names operation and operand.
/// </summary>
internal static class Check
{
    public static void That(bool condition, string operation, string message)
    {
        if (!condition)
        {
            throw new ArgumentException($"{operation}: {message}");
        }
    }

    public static void Shape(string operation, string operand, Tensor tensor, DType type, int rows, int columns)
    {
        That(!tensor.IsNone, operation, $"{operand} is missing");
        That(tensor.DType == type && tensor.Rows == rows && tensor.Columns == columns, operation,
            $"{operand} is {tensor}, not {type.Name()}[{rows}, {columns}]");
        That(tensor.Stride >= tensor.Columns, operation, $"{operand} has a stride of {tensor.Stride} below its {tensor.Columns} columns");
    }

    public static void Type(string operation, string operand, Tensor tensor, params ReadOnlySpan<DType> types)
    {
        That(!tensor.IsNone, operation, $"{operand} is missing");
        That(types.Contains(tensor.DType), operation, $"{operand} is {tensor}, which this operation does not take");
        That(tensor.Stride >= tensor.Columns, operation, $"{operand} has a stride of {tensor.Stride} below its {tensor.Columns} columns");
    }

    public static void Index(string operation, string operand, int value, int count) =>
        That(value >= 0 && value < count, operation, $"{operand} holds {value}, outside 0 .. {count - 1}");
}
