using System;
using System.IO;

namespace Ancm.Hosting.Startup
{
    /// <summary>
    /// The variables that the app's host reads. They are set in the managed copy of the environment only, which child
    /// processes of the app inherit, but nothing native sees.
    /// </summary>
    internal static class Environments
    {
        private const string HostingStartups = "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES";

        public static void Prepare(Settings settings)
        {
            Append(HostingStartups, typeof(Environments).Assembly.GetName().Name!);
            if (settings.PhysicalPath.Length > 0 && settings.PhysicalPath != Directory.GetCurrentDirectory())
            {
                // The content root is the current directory where nobody says otherwise.
                SetUnlessThere("DOTNET_CONTENTROOT", settings.PhysicalPath);
                SetUnlessThere("ASPNETCORE_CONTENTROOT", settings.PhysicalPath);
            }
        }

        private static void Append(string variable, string assembly)
        {
            var others = Environment.GetEnvironmentVariable(variable);
            Environment.SetEnvironmentVariable(
                variable, string.IsNullOrEmpty(others) ? assembly : others + ";" + assembly);
        }

        private static void SetUnlessThere(string variable, string value)
        {
            if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable)))
            {
                Environment.SetEnvironmentVariable(variable, value);
            }
        }
    }
}
