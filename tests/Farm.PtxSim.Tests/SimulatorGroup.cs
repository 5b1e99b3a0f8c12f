namespace Farm.PtxSim.Tests;

/// <summary>The process has one simulated device; its tests take turns.</summary>
[CollectionDefinition("simulator", DisableParallelization = true)]
public sealed class SimulatorGroup;
