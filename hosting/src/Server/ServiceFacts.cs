using Ancm.Hosting.Startup;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Ancm.Hosting.Server
{
    /// <summary>What all requests of a server share.</summary>
    internal sealed class ServiceFacts
    {
        public ServiceFacts(Settings settings, IISServerOptions options, ILogger logger)
        {
            Settings = settings;
            Logger = logger;
            AllowSynchronousIO = options.AllowSynchronousIO;
            MaxRequestBody = options.MaxRequestBodySize;
            AutomaticAuthentication = settings.ForwardsUser && options.AutomaticAuthentication;
        }

        public Settings Settings { get; }

        public ILogger Logger { get; }

        public bool AllowSynchronousIO { get; }

        /// <summary>In bytes; null for no limit.</summary>
        public long? MaxRequestBody { get; }

        public bool AutomaticAuthentication { get; }
    }
}
