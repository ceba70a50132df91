using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Hosting;

namespace Ancm.Hosting.Server
{
    /// <summary>
    /// The host lives as long as native says. The console's lifetime would take signals that are not for the app.
    /// </summary>
    internal sealed class NativeLifetime : IHostLifetime
    {
        private readonly IHostApplicationLifetime _application;

        public NativeLifetime(IHostApplicationLifetime application) => _application = application;

        public Task WaitForStartAsync(CancellationToken cancellationToken)
        {
            // Also while the host still starts, when the server has not registered yet.
            Shutdown.OnRequested(_application.StopApplication);
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
