namespace Farm.Cli.Tests.Support;

/// <summary>Tests that catch what this process writes to its console. They run alone: whatever a test beside them wrote there would be caught too.</summary>
[CollectionDefinition("console", DisableParallelization = true)]
public sealed class ConsoleGroup;
