namespace Farm.Models.Configuration;

/// <summary>
/// Parses the rotary fields of config.json: <c>rope_theta</c> and <c>rope_scaling</c>, or the object <c>rope_parameters</c> that replaces both in
/// newer files. The kind is called <c>rope_type</c>, in older files <c>type</c>.
/// </summary>
internal static class RopeReader
{
    public static (double Theta, RopeScaling Scaling) Read(JsonFields fields)
    {
        var parameters = fields.Object("rope_parameters");
        var scaling = parameters ?? fields.Object("rope_scaling");
        double theta = parameters?.Positive("rope_theta") ?? fields.Positive("rope_theta") ?? 10000;
        return (theta, scaling is { } s ? Scaling(s, fields) : RopeScaling.None);
    }

    private static RopeScaling Scaling(JsonFields scaling, JsonFields config)
    {
        string? kind = scaling.Text("rope_type") ?? scaling.Text("type");
        if (scaling.Positive("partial_rotary_factor") is not (null or 1))
        {
            throw scaling.Bad("partial_rotary_factor", "is not 1; rotary embeddings over a part of a head are not supported");
        }

        return kind switch
        {
            "default" => RopeScaling.None,
            null when !scaling.Has("factor") => RopeScaling.None,
            "linear" => new RopeScaling(RopeScalingKind.Linear, Factor(scaling)),
            "llama3" => Llama3(scaling, config),
            null => throw scaling.Bad("rope_type", "is missing"),
            _ => throw scaling.Bad(scaling.Has("rope_type") ? "rope_type" : "type", $"is '{kind}', which is not supported; default, linear and llama3 are"),
        };
    }

    private static RopeScaling Llama3(JsonFields scaling, JsonFields config)
    {
        double low = Required(scaling, "low_freq_factor"), high = Required(scaling, "high_freq_factor");
        if (high <= low)
        {
            throw scaling.Bad("high_freq_factor", $"is {high}, not over low_freq_factor ({low})");
        }

        int original = scaling.Integer("original_max_position_embeddings", 1, int.MaxValue)
            ?? config.Integer("original_max_position_embeddings", 1, int.MaxValue)
            ?? throw scaling.Bad("original_max_position_embeddings", "is missing");
        return new RopeScaling(RopeScalingKind.Llama3, Factor(scaling), low, high, original);
    }

    private static double Factor(JsonFields scaling)
    {
        double factor = Required(scaling, "factor");
        return factor >= 1 ? factor : throw scaling.Bad("factor", $"is {factor}; it must be at least 1");
    }

    private static double Required(JsonFields scaling, string field) => scaling.Positive(field) ?? throw scaling.Bad(field, "is missing");
}
