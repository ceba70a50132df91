using System;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;
using Ancm.Hosting.Startup;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ancm.Hosting.Server
{
    /// <summary>A server without sockets: its requests are calls from native.</summary>
    internal sealed class NativeServer : IServer
    {
        private readonly IISServerOptions _options;
        private readonly ILogger _logger;
        private RequestTable? _requests;

        public NativeServer(
            IOptions<IISServerOptions> options, ILoggerFactory loggers, IHostApplicationLifetime application)
        {
            // The older web host has no lifetime that could be replaced.
            Shutdown.OnRequested(application.StopApplication);
            _options = options.Value;
            _logger = loggers.CreateLogger("Ancm.Hosting");
            Features.Set<IServerAddressesFeature>(new Addresses(Settings.Current.Addresses));
        }

        public IFeatureCollection Features { get; } = new FeatureCollection();

        public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
        {
            var service = new ServiceFacts(Settings.Current, _options, _logger);
            var requests = new RequestTable(
                table => new RequestContext<TContext>(service, table.Sweeper, application));
            Callbacks.Register(requests);
            requests.Sweeper.Start();
            // Only a server that was registered has something to stop.
            _requests = requests;
            return Task.CompletedTask;
        }

        /// <summary>Waits for the requests that are under way, or breaks them off when the host waits no longer.</summary>
        public async Task StopAsync(CancellationToken cancellationToken)
        {
            if (_requests is RequestTable requests && requests.BeginStop())
            {
                Native.StopIncoming();
                using (cancellationToken.UnsafeRegister(state => ((RequestTable)state!).BreakOff(), requests))
                {
                    await requests.Drained;
                }
                Native.Stopped();
            }
        }

        public void Dispose() => StopAsync(new CancellationToken(canceled: true)).GetAwaiter().GetResult();
    }
}
