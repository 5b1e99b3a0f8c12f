using Farm.Core;
using Farm.Training.Model;

namespace Farm.Training;

/// <summary>Finds where a number stopped being finite.</summary>
internal static class NonFinite
{
    /// <summary>The sentence for a loss that is not finite.</summary>
    public static string InForward(int step, TrainableLlama model, TrainingWorkspace workspace)
    {
        string where = Parameter(model.Base, p => p.Value) ?? Parameter(model.Trained, p => p.Value) ?? Activation(model, workspace) ?? "the output layer";
        return $"Step {step}: the loss is not finite; the first tensor that is not is {where}. A lower --learning-rate may help.";
    }

    /// <summary>The sentence for gradients that are not finite.</summary>
    public static string InGradients(int step, ParameterStore parameters) =>
        $"Step {step}: the gradient is not finite, first in {Parameter(parameters, p => p.Gradient) ?? "the global norm"}. A lower --learning-rate may help.";

    private static string? Parameter(ParameterStore store, Func<Parameter, Tensor> tensor)
    {
        var found = store.Parameters.FirstOrDefault(p => tensor(p).DType == DType.F32 && !double.IsFinite(store.Backend.SumOfSquares(tensor(p))));
        return found?.Slot.Parts.Select(part => (part.Name, View: found.View(part, tensor(found)))).FirstOrDefault(v => !double.IsFinite(store.Backend.SumOfSquares(v.View))).Name;
    }

    private static string? Activation(TrainableLlama model, TrainingWorkspace workspace)
    {
        for (int i = 0; i <= model.Config.Layers; i++)
        {
            if (!double.IsFinite(model.Backend.SumOfSquares(workspace.Input(i))))
            {
                return i == 0 ? "the embedding's output" : $"the output of layer {i - 1}";
            }
        }

        return null;
    }
}
