using Farm.Core;

namespace Farm.Training.Model;

/// <summary>A low-rank adapter on some of a linear's output columns.</summary>
/// <param name="Index">Number among all adapters of the model; keys its dropout.</param>
/// <param name="FirstOutput">First output column of the linear that it adds to.</param>
/// <param name="A">[rank, in].</param>
/// <param name="B">[out, rank].</param>
internal sealed record Adapter(int Index, int FirstOutput, Parameter A, Parameter B)
{
    public int Outputs => B.Slot.Rows;
}

/// <summary>y = x W^T + bias + adapters, and its backward.</summary>
/// <param name="Weight">[out, in].</param>
/// <param name="Bias">[1, out] or null.</param>
/// <param name="Adapters">Adapters, at most one to an output column.</param>
internal sealed record TrainableLinear(Parameter Weight, Parameter? Bias, IReadOnlyList<Adapter> Adapters)
{
    public void Forward(TrainingWorkspace workspace, Tensor input, Tensor output, bool accumulate = false)
    {
        var backend = workspace.Backend;
        backend.MatMul(input, false, Weight.Compute, true, output, accumulate);
        if (Bias is not null)
        {
            backend.AddBias(Bias.Value, output);
        }

        foreach (var adapter in workspace.UsesAdapters ? Adapters : [])
        {
            var narrow = Narrow(workspace, adapter, workspace.Dropped(input, adapter.Index));
            backend.MatMul(narrow, false, adapter.B.Value, true, output.SliceColumns(adapter.FirstOutput, adapter.Outputs), true);
        }
    }

    /// <summary>
    /// Adds the gradients of the parameters, then writes the gradient of the input, which may lie where the input is.
    /// </summary>
    public void Backward(TrainingWorkspace workspace, Tensor input, Tensor outputGradient, Tensor inputGradient)
    {
        var backend = workspace.Backend;
        if (!Weight.Gradient.IsNone)
        {
            backend.MatMul(outputGradient, true, input, false, Weight.Gradient, true);
        }

        if (Bias is { Gradient.IsNone: false })
        {
            backend.SumRows(outputGradient, Bias.Gradient);
        }

        for (int i = 0; i < Adapters.Count; i++)
        {
            var adapter = Adapters[i];
            var dropped = workspace.Dropped(input, adapter.Index);
            var gradient = outputGradient.SliceColumns(adapter.FirstOutput, adapter.Outputs);
            backend.MatMul(gradient, true, Narrow(workspace, adapter, dropped), false, adapter.B.Gradient, true);
            var narrowGradient = workspace.AdapterGradient(i, input.Rows);
            backend.MatMul(gradient, false, adapter.B.Value, false, narrowGradient);
            backend.Scale(narrowGradient, workspace.LoraScale, narrowGradient);
            backend.MatMul(narrowGradient, true, dropped, false, adapter.A.Gradient, true);
        }

        backend.MatMul(outputGradient, false, Weight.Compute, false, inputGradient);
        for (int i = 0; i < Adapters.Count; i++)
        {
            workspace.AddAdapterInputGradient(workspace.AdapterGradient(i, input.Rows), Adapters[i], inputGradient);
        }
    }

    private static Tensor Narrow(TrainingWorkspace workspace, Adapter adapter, Tensor dropped)
    {
        var narrow = workspace.AdapterActivation(dropped.Rows);
        workspace.Backend.MatMul(dropped, false, adapter.A.Value, true, narrow);
        workspace.Backend.Scale(narrow, workspace.LoraScale, narrow);
        return narrow;
    }
}
