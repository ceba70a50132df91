using Ancm.Hosting.Abi;
using Ancm.Hosting.Startup;

/// <summary>
/// Found by the runtime by this very name, outside any namespace, and run before the app's Main. Does nothing in a
/// process that no native host started.
/// </summary>
internal static class StartupHook
{
    public static void Initialize()
    {
        if (NativeHost.IsPresent)
        {
            AppMain.Run();
        }
    }
}
